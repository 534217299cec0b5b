# One encoder with heads for depth, normals and mattes, trained on SynthHuman.
_base_ = ['../../_base_/synthhuman.py', '../../_base_/matting_losses.py']
loss_weights = dict(depth=1.0, normal=1.0, matting=1.0)

parts = dict(
    _base_.parts,
    normalize=dict(type='sapiens_depth_normal.NormalizeDepth'),
    matte=dict(type='sapiens_depth_normal.MattingTarget'))
steps = ['load', 'warp', 'normalize', 'distort', 'matte', 'degrade', 'pack']
train_pipeline = [parts[name] for name in steps]

task = dict(
    type='sapiens_depth_normal.DenseRegressor',
    backbone=dict(type='sapiens_multitask.SharedFeatures'))
wide = dict(deconv_out_channels=(384, 384, 384), conv_out_channels=(384, ))
model = dict(
    _delete_=True,
    type='sapiens_multitask.MultitaskModel',
    data_preprocessor=_base_.model.data_preprocessor,
    backbone=_base_.model.backbone,
    loss_weights=loss_weights,
    tasks=dict(
        depth=dict(
            task,
            decode_head=dict(
                type='sapiens_depth_normal.DenseHead',
                target='depth',
                loss_decode=[
                    dict(type='sapiens_depth_normal.MaskedSiLogLoss'),
                    dict(type='sapiens_depth_normal.GradientMatchingLoss', log=False)],
                init_cfg=dict(type='Normal', std=0.01, bias=0.5, override=dict(name='conv_seg')),
                **wide)),
        normal=dict(
            task,
            decode_head=dict(
                type='sapiens_depth_normal.DenseHead',
                target='normal',
                loss_decode=[
                    dict(type='sapiens_depth_normal.CosineLoss'),
                    dict(type='sapiens_depth_normal.PixelL1Loss')],
                **wide)),
        matting=dict(
            task,
            decode_head=dict(
                type='sapiens_depth_normal.PixelShuffleHead',
                target='matting',
                upsample_out_channels=(512, 256, 128),
                conv_out_channels=(64, 32),
                loss_decode=_base_.matting_losses))))

targets = ['depth', 'normal', 'alpha']
train_dataloader = dict(dataset=dict(targets=targets, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(targets=targets))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='sapiens_depth_normal.HumanDepthMetric', unit='m'),
    dict(type='sapiens_depth_normal.HumanNormalMetric'),
    dict(type='sapiens_depth_normal.AlphaMatteMetric')]
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='normal/mean', rule='less'))
