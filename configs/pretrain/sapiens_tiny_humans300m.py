# Sapiens-tiny, masked pretraining at 256 x 256: the whole recipe in a size for one small GPU.
_base_ = ['../_base_/sizes/sapiens_tiny.py', './_base_/mae.py']

crop = (256, 256)  # 16 x 16 patches; the tasks' 256 x 192 is to it what 1024 x 768 is to 1024 x 1024
model = dict(
    backbone=dict(arch=_base_.arch, img_size=crop, with_cp=False),
    neck=dict(embed_dims=_base_.embed_dims, img_size=crop, with_cp=False))
_base_.train_pipeline[0].size = crop
train_dataloader = dict(batch_size=256, dataset=dict(pipeline=_base_.train_pipeline))
