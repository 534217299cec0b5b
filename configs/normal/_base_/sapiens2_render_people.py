# Sapiens2's recipe for normals: rgb/ mask/ normal/ of rendered scans, train.txt and val.txt with one name per line. The
# published models learned from renders that were not released.
_base_ = ['sapiens2_dense.py']
steps = ['load', 'distort', 'coarsen', 'scale', 'crop', 'flip', 'fit', 'degrade', 'reject', 'pack']
train_pipeline = [_base_.parts[name] for name in steps]

model = dict(
    decode_head=dict(
        target='normal',
        upsample_out_channels=(768, 512, 256, 128),
        conv_out_channels=(64, 32, 16),
        loss_decode=[
            dict(type='sapiens_depth_normal.CosineLoss', loss_weight=10.0),
            dict(type='sapiens_depth_normal.PixelL1Loss', loss_weight=1.0),
            dict(
                type='sapiens_depth_normal.GradientMatchingLoss',
                scales=1,
                log=False,
                square=True,
                loss_weight=10.0,
                loss_name='loss_grad_l1')]))
train_dataloader = dict(dataset=dict(targets=['normal'], pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(targets=['normal']))
test_dataloader = val_dataloader
val_evaluator = dict(type='sapiens_depth_normal.HumanNormalMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='normal/mean', rule='less'))
