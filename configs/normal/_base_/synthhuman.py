# Normals on SynthHuman: the published head and losses.
_base_ = ['../../_base_/synthhuman.py']
train_pipeline = [_base_.parts[name] for name in ('load', 'warp', 'distort', 'degrade', 'pack')]

model = dict(
    decode_head=dict(
        type='sapiens_depth_normal.DenseHead',
        target='normal',
        deconv_out_channels=(768, 768, 768),
        conv_out_channels=(768, 768, 768),
        loss_decode=[
            dict(type='sapiens_depth_normal.CosineLoss'),
            dict(type='sapiens_depth_normal.PixelL1Loss')]))
train_dataloader = dict(dataset=dict(targets=['normal'], pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(targets=['normal']))
test_dataloader = val_dataloader
val_evaluator = dict(type='sapiens_depth_normal.HumanNormalMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='normal/mean', rule='less'))
