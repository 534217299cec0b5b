# Sapiens-1b, masked pretraining at 1024 x 1024 on a large set of photos of people.
#   SAPIENS_IMAGES=FOLDER NNODES=8 bash tools/dist_train.sh configs/pretrain/sapiens_1b_humans300m.py 8
# Hardware: 64 GPUs of 80 GB by computed memory (docs/training.md), untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/sizes/sapiens_1b.py', '_base_/mae.py']

model = dict(backbone=dict(arch=_base_.arch), neck=dict(embed_dims=_base_.embed_dims))
train_dataloader = dict(batch_size=64)  # fits 80 GB, see docs/training.md; 4096 in all = 64 GPUs
