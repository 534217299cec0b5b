# Sapiens-1b, 308 keypoints, at 1024 x 768.
#   bash tools/dist_train.sh configs/pose/sapiens_1b_goliath.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: not measured.
# Expected: not measured; published: AP on Humans-5K 63.9.
_base_ = ['../_base_/sizes/sapiens_1b.py', '_base_/goliath.py']

model = dict(
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size),
    head=dict(
        in_channels=_base_.embed_dims,
        loss=dict(
            _delete_=True, type='sapiens_pose.HardKeypointMSELoss', topk=128, use_target_weight=True)))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.95))  # as published, not the card's
