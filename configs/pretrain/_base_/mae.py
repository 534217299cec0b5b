# Recipe of masked pretraining, the same for every size. Leaves join it with a size card.
_base_ = ['../../_base_/runtime.py', '../../_base_/schedules/mae.py']

# ---- what you are likely to change ----
images = '{{$SAPIENS_IMAGES:data/humans_300m}}'  # a folder, a .txt list, or tar shards: SAPIENS_IMAGES=... or here
crop = (1024, 1024)  # (height, width) in pixels; any multiples of 16. Leaves set it, with backbone and neck
mask_ratio = 0.75  # up to 0.95; on the command line: --cfg-options model.backbone.mask_ratio=0.95
norm_pix = True  # standardised patches as target
batch_size = 32  # per GPU; leaves set it. The learning rate follows the total batch (auto_scale_lr)

# ---- what the method fixes ----
default_scope = 'mmengine'  # every part below is named with its prefix, or mmengine's or mmcv's own
model = dict(
    type='mmpretrain.MAE',
    data_preprocessor=dict(
        type='ImgDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    backbone=dict(
        type='sapiens_pretrain.MaskedSapiensViT', img_size=crop, mask_ratio=mask_ratio, with_cp=True),
    neck=dict(
        type='sapiens_pretrain.MAEDecoder',
        img_size=crop,
        decoder_embed_dims=512,
        decoder_depth=8,
        decoder_num_heads=16,
        with_cp=True),
    head=dict(type='sapiens_pretrain.MAEHead', norm_pix=norm_pix))

parts = dict(
    crop=dict(type='sapiens_pretrain.DecodeRandomResizedCrop', size=crop, area=(0.2, 1.0)),
    flip=dict(type='RandomFlip', prob=0.5),
    pack=dict(type='mmpretrain.PackInputs', meta_keys=('img_path', )))
train_pipeline = [parts[name] for name in ('crop', 'flip', 'pack')]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=8,
    persistent_workers=True,
    # window=N shuffles within N shards at a time, for storage that is slow at random access.
    sampler=dict(type='sapiens_pretrain.StreamSampler', shuffle=True, window=0),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='sapiens_pretrain.ImageSet', images=images, pipeline=train_pipeline))

custom_hooks = [
    dict(type='sapiens_pretrain.ReconstructionHook', interval=500),
    dict(type='sapiens_pretrain.TrainingCurveHook', interval=500),
]

epoch = _base_.epoch  # nominal, in iterations
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5 * epoch))
log_processor = dict(by_epoch=False)
randomness = dict(diff_rank_seed=True)
