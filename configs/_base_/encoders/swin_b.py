# Encoder card: Swin-B of ImageNet-22k (MIT) as mmpretrain converted it, with mmseg's UPerNet head.
layer_decay_rate = 0.9  # fine-tuning: learning rate from a layer to the one before it
encoder = dict(
    type='mmpretrain.SwinTransformer',
    arch='base',
    img_size=384,
    stage_cfgs=dict(block_cfgs=dict(window_size=12)),
    pad_small_map=True,
    out_indices=(0, 1, 2, 3),
    drop_path_rate=0.3,
    init_cfg=dict(
        type='Pretrained',
        prefix='backbone.',
        checkpoint='https://download.openmmlab.com/mmclassification/v0/swin-transformer/convert/'
        'swin_base_patch4_window12_384_22kto1k-d59b0d1d.pth'))
head = dict(
    type='mmseg.UPerHead',
    in_channels=[128, 256, 512, 1024],
    in_index=[0, 1, 2, 3],
    channels=256,
    norm_cfg=dict(type='BN'))
