# Sapiens-0.6b, masked pretraining at 1024 x 1024 on a large set of human images.
_base_ = ['../_base_/sizes/sapiens_0.6b.py', './_base_/mae.py']

model = dict(backbone=dict(arch=_base_.arch), neck=dict(embed_dims=_base_.embed_dims))
train_dataloader = dict(batch_size=128)  # fits 80 GB, see docs/training.md; 4096 in all = 32 GPUs
