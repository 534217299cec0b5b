# The quick start's model; docs/pose.md says what to expect of it.
_base_ = ['../_base_/sizes/sapiens_tiny.py', '_base_/topdown_128x96.py', '_base_/synthetic.py']

model = dict(
    backbone=dict(arch={{_base_.arch}}, img_size=(128, 96)),
    head=dict(in_channels={{_base_.embed_dims}}, out_channels={{_base_.num_keypoints}}))
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.val_pipeline}}))
test_dataloader = val_dataloader
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=1.0))
