# Encoder and head of all Sapiens segmentation models. Leaves set arch, img_size and in_channels.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
    size_divisor=16)  # the patch size; recipes resize to whole patches, so nothing is padded

model = dict(
    type='sapiens_seg.BodyPartSegmentor',
    data_preprocessor=data_preprocessor,
    # To start from a pretrained encoder:
    # model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
    backbone=dict(type='sapiens_pretrain.SapiensViT', patch_padding=0),
    decode_head=dict(
        type='sapiens_seg.SapiensSegHead',
        deconv_out_channels=(768, 768, 768),
        conv_out_channels=(768, 768, 768)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
