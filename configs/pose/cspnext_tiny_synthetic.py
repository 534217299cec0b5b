# CSPNeXt-tiny, 308 keypoints on rendered people, at 128 x 96, from scratch: a student for cspnext_tiny_synthetic_distilled.
#   python tools/data/render_humans.py --preset photos --count 900 --out data/synthetic
#   bash tools/dist_train.sh configs/pose/cspnext_tiny_synthetic.py 2
# Hardware: two CPU cores. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/encoders/cspnext_tiny.py', '_base_/synthetic.py']

model = dict(
    backbone=dict(_delete_=True, **_base_.encoder),
    head=dict(
        in_channels=_base_.channels,
        deconv_out_channels=(64, 64, 64),
        conv_out_channels=(64, )))
optim_wrapper = dict(
    constructor='DefaultOptimWrapperConstructor', paramwise_cfg=dict(_delete_=True))
