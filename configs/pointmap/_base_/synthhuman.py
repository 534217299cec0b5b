# Points in metres on SynthHuman: Sapiens2's head, losses and geometry, under which the camera follows the picture.
# Needs the camera files (cam_0000000.txt, ...).
_base_ = ['../../_base_/synthhuman.py', 'losses.py']
size = _base_.size
parts = dict(
    _base_.parts,
    scale=dict(type='sapiens_depth_normal.ScaleMaps', factors=(0.5, 2.0), prob=0.3),
    crop=dict(type='sapiens_depth_normal.CropMaps', prob=0.3),
    flip=dict(type='sapiens_depth_normal.MirrorMaps', prob=0.3),
    fit=dict(type='sapiens_depth_normal.FitImage', size=size, targets=True, rounding='nearest'),
    reject=dict(type='sapiens_depth_normal.RejectMaps', min_depth=0.04),
    fit_image=dict(type='sapiens_depth_normal.FitImage', size=size))
steps = ['load', 'distort', 'scale', 'crop', 'flip', 'fit', 'degrade', 'reject', 'pack']
train_pipeline = [parts[name] for name in steps]
test_pipeline = [parts[name] for name in ('load', 'fit_image', 'pack')]

model = dict(
    decode_head=dict(
        type='sapiens_depth_normal.PointmapHead',
        grid_size=(32, 24),  # (rows, columns): the size of the input over the patch
        upsample_out_channels=(768, 512, 256, 128),
        conv_out_channels=(64, 32, 16),
        loss_decode=_base_.pointmap_losses))
train_dataloader = dict(dataset=dict(targets=['depth', 'camera'], pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(targets=['depth', 'camera'], pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='sapiens_depth_normal.HumanPointmapMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='pointmap/metric_l2_mean', rule='less'))
