# RTMPose-l with MMPose's settings, 308 keypoints at 384 x 288.
#   bash tools/dist_train.sh configs/pose/baselines/rtmpose_l_goliath.py 8
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/simcc_baseline.py']

model = dict(
    backbone=dict(
        deepen_factor=1.0,
        widen_factor=1.0,
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='https://download.openmmlab.com/mmpose/v1/projects/rtmposev1/'
            'cspnext-l_udp-aic-coco_210e-256x192-273b7631_20230130.pth'),
        **_base_.backbone),
    head=dict(in_channels=1024, **_base_.head))
