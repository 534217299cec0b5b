# What the bundled weights were trained with most of the time: body, feet and hands alone, nearly three times the people per second.
#   bash tools/dist_train.sh configs/multitask/sapiens_tiny_synthetic_pose.py 2 --amp
# tools/recipe_multitask_synthetic.sh renders what it takes, and runs all stages.
# Hardware: two CPU cores. Time: an hour at 128 x 96, another for 3600 steps at 192 x 144.
# Expected: docs/model_card.md.
_base_ = ['sapiens_tiny_synthetic_bundled.py']

max_iters = 2400
warmup = 200
decay = 0  # steps at the end in which the rate falls to a tenth
model = dict(trained=['pose'], tasks=dict(pose=dict(head=dict(trained=70))))  # those off the face

load = dict(type='sapiens_depth_normal.LoadMaps', siblings=[])
train_pipeline = [
    load, _base_.window, _base_.weigh, _base_.grey, _base_.colours, _base_.degrade, _base_.pack
]
for part in _base_.train_dataloader.dataset.datasets:
    part.pipeline = train_pipeline
del part
optim_wrapper = dict(clip_grad=dict(max_norm=2.5))
param_scheduler = [dict(type='LinearLR', begin=0, end=warmup, start_factor=1e-2, by_epoch=False)]
if decay:
    param_scheduler.append(
        dict(
            type='CosineAnnealingLR',
            begin=max_iters - decay,
            T_max=decay,
            end=max_iters,
            eta_min_ratio=0.1,
            by_epoch=False))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
custom_hooks = []
val_evaluator = [_base_.keypoint_metric]
test_evaluator = val_evaluator
