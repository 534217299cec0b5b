# Mask2Former (Cheng et al., CVPR 2022) on Swin-L with MMSegmentation's settings, on the Sapiens data and sizes.
# Needs mmdet.
#   bash tools/dist_train.sh configs/seg/baselines/mask2former_swin_l_goliath.py 8
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/baseline.py', '../_base_/mask2former.py']

model = dict(
    backbone=dict(
        type='SwinTransformer',
        pretrain_img_size=384,
        embed_dims=192,
        depths=[2, 2, 18, 2],
        num_heads=[6, 12, 24, 48],
        window_size=12,
        drop_path_rate=0.3,
        patch_norm=True,
        out_indices=(0, 1, 2, 3),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/swin/'
            'swin_large_patch4_window12_384_22k_20220412-6580f57d.pth')),
    decode_head=dict(in_channels=[192, 384, 768, 1536], **_base_.mask2former))

optim_wrapper = _base_.mask2former_optimizer
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=200, by_epoch=True)]
