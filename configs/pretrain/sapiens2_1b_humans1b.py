# Sapiens2-1b, masked pretraining at 1024 x 768, with parameters, gradients and optimizer state split over the GPUs.
#   SAPIENS_IMAGES=FOLDER bash tools/dist_train.sh configs/pretrain/sapiens2_1b_humans1b.py 8
# Hardware: 8 GPUs of 80 GB or more, untested by us. Time: not measured.
# Expected: not measured.
_base_ = [
    '../_base_/sizes/sapiens2_1b.py', '_base_/sapiens2_mae.py', '../_base_/strategies/fsdp_sapiens2.py'
]

runner_type = 'sapiens_train.ShardedRunner'
model = dict(backbone=dict(arch=_base_.arch), neck=dict(embed_dims=_base_.embed_dims))
train_dataloader = dict(batch_size=128)  # fits 80 GB, see docs/sapiens2.md; 4096 in all = 32 GPUs
