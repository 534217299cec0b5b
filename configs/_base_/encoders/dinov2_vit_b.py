# Encoder card: ViT-B of DINOv2 (Apache-2.0) as mmpretrain converted it. Its patches have 14 pixels, so the
# sides of the input must divide by 14.
embed_dims = 768
layer_decay_rate = 0.75  # fine-tuning: learning rate from a layer to the one before it
encoder = dict(
    type='mmpretrain.VisionTransformer',
    arch='base',
    patch_size=14,
    layer_scale_init_value=1e-5,
    out_type='featmap',
    init_cfg=dict(
        type='Pretrained',
        prefix='backbone.',
        checkpoint='https://download.openmmlab.com/mmpretrain/v1.0/dinov2/'
        'vit-base-p14_dinov2-pre_3rdparty_20230426-ba246503.pth'))
# DPT (Ranftl et al., ICCV 2021): the blocks that its head takes, and mmseg's head.
dpt_indices = (2, 5, 8, 11)
dpt_head = dict(
    type='mmseg.DPTHead',
    in_channels=(768, 768, 768, 768),
    in_index=(0, 1, 2, 3),
    input_transform='multiple_select',
    channels=256,
    embed_dims=768,
    post_process_channels=[96, 192, 384, 768],
    readout_type='ignore',
    norm_cfg=dict(type='BN'))
