# Sapiens2's recipe for matting on P3M-10k; the published model saw other sets as well, with cut-outs before random
# pictures (sapiens_depth_normal.LoadCutout, CompositeCutout). The geometry is one warp here instead of five steps.
_base_ = ['../../normal/_base_/sapiens2_dense.py', '../../_base_/matting_losses.py']
data_root = 'data/P3M-10k'
parts = dict(
    compress=dict(type='sapiens_common.Degrade', jpeg=0.5),
    crop=dict(type='sapiens_depth_normal.CropToAlpha', padding=(0.0, 0.1), prob=0.5),
    warp=dict(
        type='sapiens_depth_normal.RandomWarp',
        size=_base_.size,
        scale=(0.4, 2.0),
        rotate_prob=0.5,
        max_angle=60,
        flip_prob=0.5),
    matte=dict(type='sapiens_depth_normal.MattingTarget'),
    stretch=dict(type='sapiens_common.Stretch', size=_base_.size))
steps = ['load', 'compress', 'crop', 'warp', 'distort', 'matte', 'pack']
train_pipeline = [dict(_base_.parts, **parts)[name] for name in steps]
test_pipeline = [dict(_base_.parts, **parts)[name] for name in ('load', 'matte', 'stretch', 'pack')]

model = dict(
    decode_head=dict(
        target='matting',
        upsample_out_channels=(768, 512, 256, 128),
        conv_out_channels=(64, 32, 16),
        loss_decode=_base_.matting_losses))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='sapiens_depth_normal.P3MDataset',
        data_root=data_root,
        part='train',
        pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='sapiens_depth_normal.P3MDataset',
        data_root=data_root,
        part='P3M-500-P',
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='sapiens_depth_normal.P3MDataset',
        data_root=data_root,
        part='P3M-500-NP',
        test_mode=True,
        pipeline=test_pipeline))
val_evaluator = [
    dict(type='sapiens_depth_normal.AlphaMatteMetric'),
    dict(type='sapiens_depth_normal.MattingForegroundMetric')]
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='matting/whole_sad', rule='less'))
