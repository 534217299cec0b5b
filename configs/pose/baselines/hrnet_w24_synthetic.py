# HRNet (Sun et al., CVPR 2019) of width 24 with one module per stage, 308 keypoints on rendered people, at 128 x 96.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/pose/baselines/hrnet_w24_synthetic.py 2
# Hardware: two CPU cores. Time: not measured for the whole schedule.
# Expected: docs/baselines.md compares it in equal time.
_base_ = ['../_base_/synthetic_baseline.py']

model = dict(
    backbone=dict(
        type='HRNet',
        in_channels=3,
        extra=dict(
            stage1=dict(
                num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(2, ), num_channels=(48, )),
            stage2=dict(
                num_modules=1, num_branches=2, block='BASIC', num_blocks=(2, 2), num_channels=(24, 48)),
            stage3=dict(
                num_modules=1,
                num_branches=3,
                block='BASIC',
                num_blocks=(2, 2, 2),
                num_channels=(24, 48, 96)),
            stage4=dict(
                num_modules=1,
                num_branches=4,
                block='BASIC',
                num_blocks=(2, 2, 2, 2),
                num_channels=(24, 48, 96, 192)))),
    head=dict(
        type='HeatmapHead',
        in_channels=24,
        out_channels=308,
        deconv_out_channels=None,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=_base_.codec))
optim_wrapper = dict(optimizer=dict(type='Adam', lr=5e-4))
