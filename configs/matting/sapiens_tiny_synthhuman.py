# Sapiens-tiny, alpha and foreground on SynthHuman, at 256 x 192.
#   bash tools/dist_train.sh configs/matting/sapiens_tiny_synthhuman.py 1 --amp
# Hardware: one small GPU or a CPU. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/sizes/sapiens_tiny.py', '_base_/synthhuman.py']
size = _base_.img_size

model = dict(
    data_preprocessor=dict(size=size),
    backbone=dict(arch=_base_.arch, img_size=size, with_cp=False),
    decode_head=dict(
        in_channels=_base_.embed_dims,
        upsample_out_channels=(64, 32, 32),
        conv_out_channels=(32,)))
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
loaders = [_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader]
for step in [step for loader in loaders for step in loader.dataset.pipeline if 'size' in step]:
    step.size = size
train_pipeline = _base_.train_dataloader.dataset.pipeline
test_pipeline = _base_.test_dataloader.dataset.pipeline
del loaders, step
