# What the ResNet-101 baselines share: MMSegmentation's dilated encoder, auxiliary head and SGD, on the data,
# sizes and epochs of the Sapiens recipe. The loss is scaled like a plain cross-entropy, which lr=0.01 is for.
_base_ = ['baseline.py']

norm_cfg = dict(type='SyncBN', requires_grad=True)
loss = dict(
    type='sapiens_seg.WeightedCrossEntropy', vocabulary=dict(name='goliath'), average='weights')

model = dict(
    backbone=dict(
        type='ResNetV1c',
        depth=101,
        dilations=(1, 1, 2, 4),
        strides=(1, 2, 1, 1),
        norm_cfg=norm_cfg,
        contract_dilation=True,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet101_v1c')),
    decode_head=dict(
        in_channels=2048,
        in_index=3,
        channels=512,
        norm_cfg=norm_cfg,
        loss_decode=loss),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=1024,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        num_classes=28,
        norm_cfg=norm_cfg,
        loss_decode=dict(loss_weight=0.4, **loss)))

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0005))
