# ConvNeXt-B (Liu et al., CVPR 2022) with UPerNet (Xiao et al., ECCV 2018), normals on SynthHuman, at 512 x 384.
#   bash tools/dist_train.sh configs/normal/baselines/convnext_b_synthhuman.py 8 --amp
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../../_base_/encoders/convnext_b.py', '../_base_/synthhuman_baseline.py']

model = dict(
    backbone=dict(_delete_=True, **_base_.encoder), decode_head=dict(head=_base_.head))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
