# Sapiens2-tiny, alpha and foreground on rendered people, at 128 x 96, from scratch.
#   python tools/data/render_humans.py --preset quickstart --count 3000 --out data/synthetic
#   bash tools/dist_train.sh configs/matting/sapiens2_tiny_synthetic.py 1 --amp
# Hardware: a CPU core. Time: 30 minutes on a core shared with others.
# Expected: SAD 2.3, where the mean alpha has 18.5, on the 300 people held out (docs/sapiens2.md).
_base_ = [
    '../_base_/sizes/sapiens2_tiny.py', '_base_/sapiens2_p3m.py', '../normal/_base_/sapiens2_tiny.py'
]
data_root = _base_.tiny_root  # --cfg-options data_root=DIR
size = _base_.tiny_size

model = dict(
    backbone=dict(arch=_base_.arch, img_size=size, with_cp=False),
    data_preprocessor=dict(size=size),
    decode_head=dict(
        _base_.thin_head,
        in_channels=_base_.embed_dims,
        upsample_out_channels=(64, 48, 32, 16),  # the outline is what counts: full size
        conv_out_channels=(16, )))
parts = dict(
    warp=dict(_base_.parts.warp, size=size, scale=(0.9, 1.3), max_angle=20),
    stretch=dict(_base_.parts.stretch, size=size))
# The renders are varied already.
steps = ['load', 'warp', 'distort', 'matte', 'pack']
train_pipeline = [dict(_base_.parts, **parts)[name] for name in steps]
test_pipeline = [dict(_base_.parts, **parts)[name] for name in ('load', 'matte', 'stretch', 'pack')]

dataset = dict(
    _delete_=True,
    type='sapiens_depth_normal.DenseFolderDataset',
    data_root=data_root,
    targets=['alpha'])
train_dataloader = dict(
    dataset=dict(dataset, ann_file='train.txt', pipeline=train_pipeline), **_base_.tiny_loader)
val_dataloader = dict(
    dataset=dict(
        dataset, ann_file='val.txt', framing='annotations', test_mode=True, pipeline=test_pipeline),
    **_base_.tiny_val_loader)
test_dataloader = val_dataloader
optim_wrapper = dict(_base_.tiny_optim)
param_scheduler = _base_.tiny_scheduler
train_cfg = _base_.tiny_cfg
default_hooks = dict(checkpoint=_base_.tiny_checkpoint, logger=dict(interval=10))
log_processor = dict(by_epoch=True)
