# RTMDet-tiny: a quarter of the work of RTMDet-m, for CPUs and many streams.
_base_ = '_base_/rtmdet_person.py'

model = dict(
    backbone=dict(deepen_factor=0.167, widen_factor=0.375),
    neck=dict(in_channels=[96, 192, 384], out_channels=96, num_csp_blocks=1),
    bbox_head=dict(in_channels=96, feat_channels=96, exp_on_reg=False))
