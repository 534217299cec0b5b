# Encoder card: mmpretrain's Swin of width 32 (Swin-T: 96), from scratch, with mmseg's UPerNet head.
encoder = dict(
    type='mmpretrain.SwinTransformer',
    arch=dict(embed_dims=32, depths=[2, 2, 6, 2], num_heads=[1, 2, 4, 8]),
    img_size=128,
    pad_small_map=True,
    out_indices=(0, 1, 2, 3))
head = dict(
    type='mmseg.UPerHead',
    in_channels=[32, 64, 128, 256],
    in_index=[0, 1, 2, 3],
    channels=64,
    norm_cfg=dict(type='BN'))
