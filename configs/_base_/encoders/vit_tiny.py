# Encoder card: mmpretrain's ViT at the size of Sapiens-tiny, from scratch, with mmseg's DPT head.
encoder = dict(
    type='mmpretrain.VisionTransformer',
    arch=dict(embed_dims=192, num_layers=6, num_heads=3, feedforward_channels=768),
    patch_size=16,
    out_type='featmap')
# DPT (Ranftl et al., ICCV 2021): the blocks that its head takes, and mmseg's head.
dpt_indices = (0, 2, 4, 5)
dpt_head = dict(
    type='mmseg.DPTHead',
    in_channels=(192, 192, 192, 192),
    in_index=(0, 1, 2, 3),
    input_transform='multiple_select',
    channels=64,
    embed_dims=192,
    post_process_channels=[24, 48, 96, 192],
    readout_type='ignore',
    norm_cfg=dict(type='BN'))
