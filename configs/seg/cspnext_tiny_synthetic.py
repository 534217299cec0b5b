# CSPNeXt-tiny, 28 body parts on rendered people, at 128 x 96, from scratch: a student for cspnext_tiny_synthetic_distilled.
#   python tools/data/render_humans.py --preset photos --count 900 --out data/synthetic
#   bash tools/dist_train.sh configs/seg/cspnext_tiny_synthetic.py 2
# Hardware: two CPU cores. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/encoders/cspnext_tiny.py', 'sapiens_tiny_synthetic.py']

model = dict(
    backbone=dict(_delete_=True, **_base_.encoder),
    decode_head=dict(
        in_channels=_base_.channels,
        deconv_out_channels=(64, 64, 64),
        conv_out_channels=(64, )))
optim_wrapper = dict(paramwise_cfg=dict(_delete_=True))
