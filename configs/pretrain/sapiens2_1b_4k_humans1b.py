# Sapiens2-1b for 4096 x 3072, masked pretraining: windows of 64 x 64 pixels are hidden and predicted.
#   SAPIENS_IMAGES=FOLDER bash tools/dist_train.sh configs/pretrain/sapiens2_1b_4k_humans1b.py 8
# Hardware: 8 GPUs of 80 GB or more, untested by us. Time: not measured.
# Expected: not measured.
_base_ = [
    '../_base_/sizes/sapiens2_1b_4k.py', '_base_/sapiens2_mae.py', '../_base_/strategies/fsdp_sapiens2.py'
]

runner_type = 'sapiens_train.ShardedRunner'
crop = _base_.img_size
window = 16 * _base_.tokenizer_window  # pixels
model = dict(
    backbone=dict(arch=_base_.arch, img_size=crop, tokenizer_window=_base_.tokenizer_window),
    neck=dict(embed_dims=_base_.embed_dims, img_size=crop, patch_size=window),
    head=dict(patch_size=window))
parts = dict(crop=dict(_base_.parts.crop, size=crop))
train_pipeline = [dict(_base_.parts, **parts)[name] for name in ('crop', 'flip', 'pack')]
train_dataloader = dict(  # fits 80 GB, see docs/sapiens2.md; 4096 in all = 256 GPUs
    batch_size=16, dataset=dict(pipeline=train_pipeline))
