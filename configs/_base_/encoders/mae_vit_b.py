# Encoder card: ViT-B from mmpretrain's masked autoencoder, pretrained on ImageNet-1k by OpenMMLab (Apache-2.0).
embed_dims = 768
layer_decay_rate = 0.75  # fine-tuning: learning rate from a layer to the one before it
encoder = dict(
    type='mmpretrain.VisionTransformer',
    arch='base',
    patch_size=16,
    out_type='featmap',
    init_cfg=dict(
        type='Pretrained',
        prefix='backbone.',
        checkpoint='https://download.openmmlab.com/mmselfsup/1.x/mae/'
        'mae_vit-base-p16_8xb512-fp16-coslr-1600e_in1k/'
        'mae_vit-base-p16_8xb512-fp16-coslr-1600e_in1k_20220825-f7569ca2.pth'))
