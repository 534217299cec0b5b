# Sapiens2-tiny, pointmaps in metres, on rendered people, at 128 x 96, from scratch.
#   python tools/data/render_humans.py --preset quickstart --count 3000 --out data/synthetic
#   bash tools/dist_train.sh configs/pointmap/sapiens2_tiny_synthetic.py 1 --amp
# Hardware: a CPU core. Time: 16 minutes, a part of it shared with others.
# Expected: 0.28 m, a plane at the median distance 0.41, on the 300 people held out (docs/sapiens2.md).
_base_ = [
    '../_base_/sizes/sapiens2_tiny.py', '_base_/sapiens2_render_people.py', '../normal/_base_/sapiens2_tiny.py'
]
data_root = _base_.tiny_root  # --cfg-options data_root=DIR
size = _base_.tiny_size
# The width of the input, as in the published recipe: canonical depths of people stay about 1 to 3.
focal = size[1]

model = dict(
    backbone=dict(arch=_base_.arch, img_size=size, with_cp=False),
    data_preprocessor=dict(size=size),
    decode_head=dict(
        in_channels=_base_.embed_dims,
        canonical_focal=float(focal),
        grid_size=(8, 6),
        scale_conv_out_channels=(64, 32),
        scale_linear_out_channels=(64, 32),
        # From scratch the normals of neighbouring points are noise, and the focal length hardly shows in a picture: at
        # their published weights both keep the others from being learned (docs/sapiens2.md).
        loss_decode=[
            dict(loss, loss_weight=0.4) if 'Scale' in loss.type else loss
            for loss in _base_.pointmap_losses if 'Normal' not in loss.type],
        **_base_.thin_head))
parts = dict(
    flip=dict(_base_.parts.flip, prob=0.5),
    reject=dict(type='sapiens_depth_normal.RejectMaps', min_depth=0.04, canonical_focal=focal),
    fit=dict(_base_.parts.fit, size=size),
    fit_image=dict(_base_.parts.fit_image, size=size))
# The renders are varied already.
steps = ['load', 'distort', 'crop', 'flip', 'fit', 'reject', 'pack']
train_pipeline = [dict(_base_.parts, **parts)[name] for name in steps]
test_pipeline = [dict(_base_.parts, **parts)[name] for name in ('load', 'fit_image', 'pack')]

train_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=train_pipeline), **_base_.tiny_loader)
val_dataloader = dict(
    dataset=dict(data_root=data_root, framing='annotations', pipeline=test_pipeline),
    **_base_.tiny_val_loader)
test_dataloader = val_dataloader
optim_wrapper = dict(
    _base_.tiny_optim,
    optimizer=dict(lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=3.0))))
param_scheduler = _base_.tiny_scheduler
train_cfg = _base_.tiny_cfg
default_hooks = dict(checkpoint=_base_.tiny_checkpoint, logger=dict(interval=10))
log_processor = dict(by_epoch=True)
# The trivial prediction: the median distance and scale of the people trained on.
val_evaluator = dict(canonical_focal=focal, usual=(1.35, 0.72))
test_evaluator = val_evaluator
