# Sapiens-2b, 133 keypoints of COCO-WholeBody, at 1024 x 768.
#   bash tools/dist_train.sh configs/pose/sapiens_2b_coco_wholebody.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: not measured.
# Expected: not measured; published: whole AP on COCO-WholeBody val with a detector's boxes 74.4.
_base_ = ['../_base_/sizes/sapiens_2b.py', '_base_/coco_wholebody.py']

model = dict(
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size),
    head=dict(in_channels=_base_.embed_dims))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
