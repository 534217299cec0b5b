# Sapiens-tiny, 308 keypoints, at 256 x 192.
#   bash tools/dist_train.sh configs/pose/sapiens_tiny_goliath.py 1 --amp
# Hardware: one small GPU or a CPU. Time: not measured.
# Expected: not measured, and no figure is published.
_base_ = ['../_base_/sizes/sapiens_tiny.py', '_base_/tiny.py', '_base_/goliath.py']

model = dict(
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size),
    head=dict(in_channels=_base_.embed_dims, **_base_.thin_head))
codec = _base_.small_codec
train_pipeline = [dict(step, **_base_.small.get(step.type, {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **_base_.small.get(step.type, {})) for step in _base_.val_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(
    optimizer=dict(lr=5e-4), paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
