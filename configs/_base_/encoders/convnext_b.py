# Encoder card: ConvNeXt-B of ImageNet (MIT) as mmpretrain converted it, with mmseg's UPerNet head.
layer_decay_rate = 0.9  # fine-tuning: learning rate from a layer to the one before it
encoder = dict(
    type='mmpretrain.ConvNeXt',
    arch='base',
    out_indices=(0, 1, 2, 3),
    gap_before_final_norm=False,
    drop_path_rate=0.3,
    init_cfg=dict(
        type='Pretrained',
        prefix='backbone.',
        checkpoint='https://download.openmmlab.com/mmclassification/v0/convnext/'
        'convnext-base_3rdparty_32xb128_in1k_20220124-d0915162.pth'))
head = dict(
    type='mmseg.UPerHead',
    in_channels=[128, 256, 512, 1024],
    in_index=[0, 1, 2, 3],
    channels=256,
    norm_cfg=dict(type='BN'))
