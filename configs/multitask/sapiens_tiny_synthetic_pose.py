# First stage of the shipped model: body, feet and hands alone, three times the people per second.
# tools/recipe_multitask_synthetic.sh runs both stages.
_base_ = ['./sapiens_tiny_synthetic.py']

lr = 1.5e-3
warmup = 200
max_iters = 6000
_base_.model.tasks.pose.head.trained = 70  # those off the face
model = dict(
    loss_weights=dict(_delete_=True, pose=1.0),
    tasks=dict(_delete_=True, pose=_base_.model.tasks.pose))

_base_.train_pipeline[0] = dict(type='sapiens_depth_normal.LoadMaps', siblings=[])
train_pipeline = [step for step in _base_.train_pipeline if 'Depth' not in step['type']]
train_dataloader = dict(batch_size=10, dataset=dict(pipeline=train_pipeline))
param_scheduler = [dict(type='LinearLR', begin=0, end=warmup, start_factor=1e-2, by_epoch=False)]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
