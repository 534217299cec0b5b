# Sapiens-0.3b, 17 keypoints of COCO, at 1024 x 768.
#   bash tools/dist_train.sh configs/pose/sapiens_0.3b_coco.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: not measured.
# Expected: not measured; published: AP on COCO val with a detector's boxes 79.6.
_base_ = ['../_base_/sizes/sapiens_0.3b.py', '_base_/coco.py']

model = dict(
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size),
    head=dict(in_channels=_base_.embed_dims))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
