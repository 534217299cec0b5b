# RTMDet-m without NMS in the model: the caller suppresses doubles with its own threshold.
_base_ = 'rtmdet_m_person.py'

model = dict(test_cfg=dict(nms=None))
