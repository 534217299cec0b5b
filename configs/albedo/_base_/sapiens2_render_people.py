# Sapiens2's recipe for albedo: rgb/ mask/ albedo/ of rendered scans, train.txt and val.txt with one name per line.
_base_ = ['../../normal/_base_/sapiens2_dense.py']
# Colours are what is learned: none is changed.
parts = dict(
    degrade=dict(type='sapiens_common.Degrade', noise=0.2),
    reject=dict(type='sapiens_depth_normal.RejectMaps', min_spread=0.02))
steps = ['load', 'scale', 'crop', 'flip', 'fit', 'degrade', 'reject', 'pack']
train_pipeline = [dict(_base_.parts, **parts)[name] for name in steps]

model = dict(
    decode_head=dict(
        target='albedo',
        norm='rms',
        upsample_out_channels=(768, 512, 256, 128),
        conv_out_channels=(64, 32, 16),
        loss_decode=[
            dict(type='sapiens_depth_normal.PixelL1Loss', loss_weight=2.0),
            dict(
                type='sapiens_depth_normal.GradientMatchingLoss',
                scales=1,
                log=False,
                square=True,
                loss_weight=1.0,  # the published 2, of the mean of both directions
                loss_name='loss_grad_l1'),
            dict(type='sapiens_depth_normal.ChromaticityLoss', loss_weight=1.0)]))
train_dataloader = dict(dataset=dict(targets=['albedo'], pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(targets=['albedo']))
test_dataloader = val_dataloader
val_evaluator = dict(type='sapiens_depth_normal.HumanAlbedoMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='albedo/mae', rule='less'))
