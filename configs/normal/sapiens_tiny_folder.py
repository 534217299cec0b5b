# Sapiens-tiny, surface normals, on a folder of your own, at 256 x 192.
#   bash tools/dist_train.sh configs/normal/sapiens_tiny_folder.py 1 --amp
# Hardware: one small GPU or a CPU. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/sizes/sapiens_tiny.py', '../depth/_base_/tiny.py', '_base_/folder.py']

model = dict(
    data_preprocessor=dict(size=_base_.img_size),
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size, with_cp=False),
    decode_head=dict(in_channels=_base_.embed_dims, **_base_.thin_head))
loaders = [_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader]
for step in [step for loader in loaders for step in loader.dataset.pipeline if 'size' in step]:
    step.size = _base_.img_size
train_pipeline = _base_.train_dataloader.dataset.pipeline
test_pipeline = _base_.test_dataloader.dataset.pipeline
del loaders, step
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
