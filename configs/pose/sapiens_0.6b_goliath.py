# Sapiens-0.6b, 308 keypoints, at 1024 x 768.
#   bash tools/dist_train.sh configs/pose/sapiens_0.6b_goliath.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: not measured.
# Expected: not measured; published: AP on Humans-5K 60.9.
_base_ = ['../_base_/sizes/sapiens_0.6b.py', '_base_/goliath.py']

model = dict(
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size),
    head=dict(in_channels=_base_.embed_dims))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
