# RTMDet-m without NMS in the model: the caller suppresses duplicates with its own threshold.
#   bash tools/dist_train.sh configs/det/rtmdet_m_person_no_nms.py 8
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['rtmdet_m_person.py']

model = dict(test_cfg=dict(nms=None))
