# Sapiens-tiny, depth, normals and mattes from one pass on rendered people, at 128 x 96, from scratch. tools/test.py judges
# them out of their domain, on SynthHuman: all of it, or the two samples that travel with the source.
#   python tools/data/render_humans.py --preset photos --count 3000 --seed 1 --val-fraction 0.05 --out data/synthetic
#   bash tools/dist_train.sh configs/multitask/sapiens_tiny_maps_synthetic.py 2
#   python tools/test.py configs/multitask/sapiens_tiny_maps_synthetic.py CHECKPOINT --cfg-options \
#       test_dataloader.dataset.data_root=tests/data/synthhuman
# Hardware: two CPU cores. Time: five minutes of one core.
# Expected: on those two samples: depth RMSE 0.033 m, normals 44.1 degrees, alpha SAD 89 (docs/public_data.md).
_base_ = ['sapiens_tiny_synthhuman.py']
data_root = 'data/synthetic'
max_iters = 600  # a short run; longer ones are better
size = (128, 96)  # (height, width): half of the tiny size, four times the steps per minute

model = dict(backbone=dict(img_size=size), data_preprocessor=dict(size=size))
loaders = [_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader]
for step in [step for loader in loaders for step in loader.dataset.pipeline if 'size' in step]:
    step.size = size
train_pipeline = _base_.train_dataloader.dataset.pipeline
test_pipeline = _base_.test_dataloader.dataset.pipeline
del loaders, step

renders = dict(
    _delete_=True,
    type='sapiens_depth_normal.DenseFolderDataset',
    data_root=data_root,
    targets=_base_.targets)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(
        renders, ann_file='train.txt', pipeline=_base_.train_dataloader.dataset.pipeline))
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        renders,
        ann_file='val.txt',
        framing='annotations',
        test_mode=True,
        pipeline=_base_.val_dataloader.dataset.pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(split=None))
# From scratch the decoders have the longest way to go: ten times the encoder's rate.
optim_wrapper = dict(
    constructor='DefaultOptimWrapperConstructor',
    optimizer=dict(lr=5e-4, weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, custom_keys=dict(tasks=dict(lr_mult=10.0))),
    clip_grad=dict(max_norm=5.0))
param_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=1e-2, by_epoch=False),
    dict(type='CosineAnnealingLR', begin=50, T_max=max_iters - 50, end=max_iters, by_epoch=False)]
train_cfg = dict(
    _delete_=True, type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
log_processor = dict(by_epoch=False)
default_hooks = dict(
    logger=dict(interval=50), checkpoint=dict(by_epoch=False, interval=200))
