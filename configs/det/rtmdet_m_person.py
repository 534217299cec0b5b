# RTMDet-m, the person detector of the published pose results, with NMS at IoU 0.6.
#   bash tools/dist_train.sh configs/det/rtmdet_m_person.py 8
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['_base_/rtmdet_person.py']

model = dict(
    backbone=dict(deepen_factor=0.67, widen_factor=0.75),
    neck=dict(in_channels=[192, 384, 768], out_channels=192, num_csp_blocks=2),
    bbox_head=dict(in_channels=192, feat_channels=192))
