# CSPNeXt-tiny, depth on rendered people, at 128 x 96, with the bundled model as teacher.
#   python tools/data/render_humans.py --preset photos --count 900 --out data/synthetic
#   bash tools/dist_train.sh configs/depth/cspnext_tiny_synthetic_distilled.py 2
# Hardware: two CPU cores. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/encoders/cspnext_tiny.py', 'sapiens_tiny_synthetic.py']

model = dict(
    type='sapiens_multitask.DistilledRegressor',
    backbone=dict(_delete_=True, **_base_.encoder),
    decode_head=dict(
        in_channels=_base_.channels,
        deconv_out_channels=(64, 64, 64),
        conv_out_channels=(64, )),
    distillation=dict(
        teacher=dict(model='sapiens_tiny/multitask_synthetic', task='depth'),
        outputs=dict(type='mmpose.L1Loss'),
        features=dict(type='sapiens_multitask.PairwiseSimilarityLoss')))
optim_wrapper = dict(paramwise_cfg=dict(_delete_=True))
