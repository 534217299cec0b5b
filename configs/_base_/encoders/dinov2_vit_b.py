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
