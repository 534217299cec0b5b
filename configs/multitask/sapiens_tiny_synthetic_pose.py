# What the bundled weights were trained with, first stage: body, feet and hands alone, three times the people per second.
#   bash tools/dist_train.sh configs/multitask/sapiens_tiny_synthetic_pose.py 2 --amp
# tools/recipe_multitask_synthetic.sh renders what it takes, and runs all stages.
# Hardware: two CPU cores. Time: an hour.
# Expected: docs/model_card.md.
_base_ = ['sapiens_tiny_synthetic_bundled.py']

max_iters = 7000
warmup = 200
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
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
custom_hooks = []
val_evaluator = [_base_.keypoint_metric]
test_evaluator = val_evaluator
