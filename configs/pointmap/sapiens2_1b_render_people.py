# Sapiens2-1b, pointmaps in metres, on renders of scanned people, at 1024 x 768.
#   bash tools/dist_train.sh configs/pointmap/sapiens2_1b_render_people.py 8
# Hardware: 8 GPUs of 80 GB or more, untested by us. Time: not measured.
# Expected: not measured.
_base_ = [
    '../_base_/sizes/sapiens2_1b.py', '_base_/sapiens2_render_people.py', '../_base_/strategies/fsdp_sapiens2.py'
]
iterations = 40000

runner_type = 'sapiens_train.ShardedRunner'
model = dict(
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size),
    decode_head=dict(in_channels=_base_.embed_dims))
train_dataloader = dict(batch_size=3)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
sharding = dict(param_dtype=None)  # full precision, as published
param_scheduler = [_base_.warm_up, dict(_base_.to_zero, end=iterations)]
train_cfg = dict(max_iters=iterations)
