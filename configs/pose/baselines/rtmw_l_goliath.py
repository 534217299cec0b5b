# RTMW-l (Jiang et al., 2024) with MMPose's settings: RTMPose with a pyramid, 308 keypoints at 384 x 288.
#   bash tools/dist_train.sh configs/pose/baselines/rtmw_l_goliath.py 8
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/simcc_baseline.py']

model = dict(
    backbone=dict(
        _base_.backbone,
        deepen_factor=1.0,
        widen_factor=1.0,
        out_indices=(2, 3, 4),
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='https://download.openmmlab.com/mmpose/v1/projects/rtmposev1/'
            'rtmpose-l_simcc-ucoco_dw-ucoco_270e-256x192-4d6dfc62_20230728.pth')),
    neck=dict(
        type='CSPNeXtPAFPN',
        in_channels=[256, 512, 1024],
        out_channels=None,
        out_indices=(1, 2),
        num_csp_blocks=2,
        expand_ratio=0.5,
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='SiLU', inplace=True)),
    head=dict(
        _base_.head,
        type='RTMWHead',
        in_channels=1024,
        loss=dict(
            type='KLDiscretLoss', use_target_weight=True, beta=1., label_softmax=True, label_beta=10.)))
optim_wrapper = dict(optimizer=dict(lr=5e-4, weight_decay=0.1))
