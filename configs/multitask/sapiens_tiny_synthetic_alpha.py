# What the bundled weights were trained with at last: mattes alone; encoder and other heads stay as they are. So is
# any model taught one more task.
#   bash tools/dist_train.sh configs/multitask/sapiens_tiny_synthetic_alpha.py 2 --amp --cfg-options first_stage=FILE
# after sapiens_tiny_synthetic_bundled.py; load_from=sapiens_tiny/multitask_synthetic instead goes on from the bundled weights.
# Hardware: two CPU cores. Time: eight minutes.
# Expected: docs/model_card.md.
_base_ = ['sapiens_tiny_synthetic_bundled.py']

max_iters = 400
warmup = max_iters // 8
model = dict(trained=['matting'], backbone=dict(frozen_stages=6))  # all of the encoder

load = dict(type='sapiens_depth_normal.LoadMaps', siblings=['mask', 'alpha'])
train_pipeline = [
    load, _base_.window, _base_.grey, _base_.colours, _base_.matte, _base_.degrade, _base_.pack
]
for part in _base_.train_dataloader.dataset.datasets:
    part.pipeline = train_pipeline
del part
optim_wrapper = dict(
    optimizer=dict(lr=2e-3), paramwise_cfg=dict(custom_keys={'tasks': dict(lr_mult=1.0)}))
param_scheduler = [
    dict(type='LinearLR', begin=0, end=warmup, start_factor=1e-1, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=warmup,
        T_max=max_iters - warmup,
        end=max_iters,
        by_epoch=False)]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
custom_hooks = []
