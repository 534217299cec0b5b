# Sapiens2-tiny, surface normals on rendered people, at 128 x 96, from scratch.
#   python tools/data/render_humans.py --preset quickstart --count 3000 --out data/synthetic
#   bash tools/dist_train.sh configs/normal/sapiens2_tiny_synthetic.py 1 --amp
# Hardware: a CPU core. Time: half an hour on a core shared with others.
# Expected: mean error 18.4 degrees, facing the camera 34.8, on the 300 people held out (docs/sapiens2.md).
_base_ = [
    '../_base_/sizes/sapiens2_tiny.py', '_base_/sapiens2_render_people.py', '_base_/sapiens2_tiny.py'
]
data_root = _base_.tiny_root  # --cfg-options data_root=DIR
size = _base_.tiny_size

model = dict(
    backbone=dict(arch=_base_.arch, img_size=size, with_cp=False),
    data_preprocessor=dict(size=size),
    decode_head=dict(in_channels=_base_.embed_dims, **_base_.thin_head))
parts = dict(
    flip=dict(_base_.parts.flip, prob=0.5),
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
optim_wrapper = _base_.tiny_optim
param_scheduler = _base_.tiny_scheduler
train_cfg = _base_.tiny_cfg
default_hooks = dict(checkpoint=_base_.tiny_checkpoint, logger=dict(interval=10))
log_processor = dict(by_epoch=True)
