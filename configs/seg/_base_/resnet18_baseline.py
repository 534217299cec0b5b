# What the ResNet-18 baselines share: MMSegmentation's dilated encoder, here of half its width, auxiliary head and SGD.
_base_ = ['synthetic_baseline.py']

model = dict(
    backbone=dict(
        type='ResNetV1c',
        depth=18,
        stem_channels=32,
        base_channels=32,
        dilations=(1, 1, 2, 4),
        strides=(1, 2, 1, 1),
        contract_dilation=True),
    decode_head=dict(
        in_channels=256,
        in_index=3,
        channels=128,
        num_classes=28,
        norm_cfg=dict(type='BN'),
        loss_decode=_base_.loss),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=128,
        in_index=2,
        channels=64,
        num_convs=1,
        concat_input=False,
        num_classes=28,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(_base_.loss, loss_weight=0.4)))
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0005))
