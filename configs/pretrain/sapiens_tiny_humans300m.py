# Sapiens-tiny, masked pretraining at 256 x 256: the whole recipe in a size for one small GPU.
#   SAPIENS_IMAGES=FOLDER bash tools/dist_train.sh configs/pretrain/sapiens_tiny_humans300m.py 1
# Hardware: one small GPU. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/sizes/sapiens_tiny.py', '_base_/mae.py']

crop = (256, 256)  # 16 x 16 patches; the tasks' 256 x 192 is to it what 1024 x 768 is to 1024 x 1024
model = dict(
    backbone=dict(arch=_base_.arch, img_size=crop, with_cp=False),
    neck=dict(embed_dims=_base_.embed_dims, img_size=crop, with_cp=False))
parts = dict(crop=dict(_base_.parts.crop, size=crop))
train_pipeline = [dict(_base_.parts, **parts)[name] for name in ('crop', 'flip', 'pack')]
train_dataloader = dict(batch_size=256, dataset=dict(pipeline=train_pipeline))
