# Sapiens-2b, masked pretraining at 1024 x 1024 on a large set of photos of people.
#   SAPIENS_IMAGES=FOLDER NNODES=16 bash tools/dist_train.sh configs/pretrain/sapiens_2b_humans300m.py 8
# Hardware: 128 GPUs of 80 GB by computed memory (docs/training.md), untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/sizes/sapiens_2b.py', '_base_/mae.py']

model = dict(backbone=dict(arch=_base_.arch), neck=dict(embed_dims=_base_.embed_dims))
train_dataloader = dict(batch_size=32)  # fits 80 GB, see docs/training.md; 4096 in all = 128 GPUs
