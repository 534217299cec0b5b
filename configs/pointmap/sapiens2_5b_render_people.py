# Sapiens2-5b, pointmaps in metres, on renders of scanned people, at 1024 x 768.
#   bash tools/dist_train.sh configs/pointmap/sapiens2_5b_render_people.py 8
# Hardware: 8 GPUs of 80 GB or more, untested by us. Time: not measured.
# Expected: not measured.
_base_ = [
    '../_base_/sizes/sapiens2_5b.py', '_base_/sapiens2_render_people.py', '../_base_/strategies/fsdp_sapiens2.py'
]
iterations = 40000

runner_type = 'sapiens_train.ShardedRunner'
model = dict(
    backbone=dict(arch=_base_.arch),
    decode_head=dict(
        in_channels=_base_.embed_dims,
        upsample_out_channels=(1536, 768, 768, 768),
        conv_out_channels=(128, 64, 32)))
train_dataloader = dict(batch_size=1)
optim_wrapper = dict(
    optimizer=dict(lr=1e-4),
    paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
sharding = dict(param_dtype=None)  # full precision, as published
param_scheduler = [_base_.warm_up, dict(_base_.to_zero, end=iterations)]
train_cfg = dict(max_iters=iterations)
