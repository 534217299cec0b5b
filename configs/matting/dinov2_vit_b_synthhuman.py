# ViT-B of DINOv2, alpha and foreground on SynthHuman, at 518 x 392, the nearest size of whole patches.
#   bash tools/dist_train.sh configs/matting/dinov2_vit_b_synthhuman.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: about 9 GPU hours, computed.
# Expected: not measured.
_base_ = ['../_base_/encoders/dinov2_vit_b.py', '_base_/synthhuman.py']
size = (518, 392)  # (height, width)

model = dict(
    data_preprocessor=dict(size=size),
    backbone=dict(_delete_=True, img_size=size, **_base_.encoder),
    decode_head=dict(in_channels=_base_.embed_dims))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
loaders = [_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader]
for step in [step for loader in loaders for step in loader.dataset.pipeline if 'size' in step]:
    step.size = size
train_pipeline = _base_.train_dataloader.dataset.pipeline
test_pipeline = _base_.test_dataloader.dataset.pipeline
del loaders, step
