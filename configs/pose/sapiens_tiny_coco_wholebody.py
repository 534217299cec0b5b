_base_ = ['../_base_/sizes/sapiens_tiny.py', '_base_/topdown_256x192.py', '_base_/coco_wholebody.py']

model = dict(
    backbone=dict(arch={{_base_.arch}}, img_size={{_base_.img_size}}),
    head=dict(in_channels={{_base_.embed_dims}}, out_channels={{_base_.num_keypoints}}))
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.val_pipeline}}))
test_dataloader = val_dataloader
# No published encoder to keep: every layer learns at the full rate.
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=dict(layer_decay_rate=1.0))
