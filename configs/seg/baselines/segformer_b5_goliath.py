# SegFormer-B5 (Xie et al., NeurIPS 2021) with MMSegmentation's settings, on the Sapiens data and sizes.
#   bash tools/dist_train.sh configs/seg/baselines/segformer_b5_goliath.py 8
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/baseline.py']

model = dict(
    backbone=dict(
        type='MixVisionTransformer',
        embed_dims=64,
        num_layers=[3, 6, 40, 3],
        num_heads=[1, 2, 5, 8],
        patch_sizes=[7, 3, 3, 3],
        sr_ratios=[8, 4, 2, 1],
        out_indices=(0, 1, 2, 3),
        qkv_bias=True,
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/'
            'mit_b5_20220624-658746d9.pth')),
    decode_head=dict(
        type='SegformerHead',
        in_channels=[64, 128, 320, 512],
        in_index=[0, 1, 2, 3],
        channels=256,
        norm_cfg=dict(type='SyncBN', requires_grad=True),
        loss_decode=dict(
            type='sapiens_seg.WeightedCrossEntropy',
            vocabulary=dict(name='goliath'),
            average='weights')))

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(
        custom_keys=dict(
            pos_block=dict(decay_mult=0.0),
            norm=dict(decay_mult=0.0),
            head=dict(lr_mult=10.0))))
