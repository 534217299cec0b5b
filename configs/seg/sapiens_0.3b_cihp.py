# Sapiens-0.3b, the 20 classes of CIHP, at 1024 x 768.
#   bash tools/dist_train.sh configs/seg/sapiens_0.3b_cihp.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: not measured.
# Expected: not measured, and no figure is published.
_base_ = ['../_base_/sizes/sapiens_0.3b.py', '_base_/cihp.py']

model = dict(
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size),
    decode_head=dict(in_channels=_base_.embed_dims))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
