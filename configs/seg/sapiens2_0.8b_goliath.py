# Sapiens2-0.8b, 29 body parts, at 1024 x 768.
#   bash tools/dist_train.sh configs/seg/sapiens2_0.8b_goliath.py 8
# Hardware: 8 GPUs of 80 GB or more, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/sizes/sapiens2_0.8b.py', '_base_/sapiens2_goliath.py']
iterations = 30000

model = dict(
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size),
    decode_head=dict(in_channels=_base_.embed_dims))
train_dataloader = dict(batch_size=5)
optim_wrapper = dict(dtype='float32', paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
float32_matmul_precision = 'high'  # TF32, as published
param_scheduler = [_base_.warm_up, dict(_base_.to_zero, end=iterations)]
train_cfg = dict(max_iters=iterations)
