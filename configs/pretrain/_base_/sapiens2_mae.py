# Masked pretraining of a Sapiens2 encoder. Its own recipe was not released: this is that of the first generation, at the
# input size that Sapiens2 is used at. Leaves join it with a size card.
_base_ = ['mae.py']

crop = (1024, 768)  # (height, width) in pixels; any multiples of 16
model = dict(
    backbone=dict(type='sapiens_pretrain.MaskedSapiens2ViT', img_size=crop), neck=dict(img_size=crop))
parts = dict(crop=dict(_base_.parts.crop, size=crop))
train_pipeline = [dict(_base_.parts, **parts)[name] for name in ('crop', 'flip', 'pack')]
train_dataloader = dict(
    dataset=dict(images='{{$SAPIENS_IMAGES:data/humans_1b}}', pipeline=train_pipeline))
optim_wrapper = dict(
    paramwise_cfg=dict(
        no_decay=('ln', 'norm', 'bias', 'gamma', 'pos_embed', 'mask_token', 'cls_token', 'storage_tokens')))
