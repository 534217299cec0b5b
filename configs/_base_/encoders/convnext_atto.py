# Encoder card: ConvNeXt-atto from mmpretrain, from scratch, with mmseg's UPerNet head.
encoder = dict(
    type='mmpretrain.ConvNeXt',
    arch='atto',
    out_indices=(0, 1, 2, 3),
    gap_before_final_norm=False)
head = dict(
    type='mmseg.UPerHead',
    in_channels=[40, 80, 160, 320],
    in_index=[0, 1, 2, 3],
    channels=64,
    norm_cfg=dict(type='BN'))
