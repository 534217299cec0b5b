# Sapiens-tiny, the 20 classes of CIHP, at 256 x 192.
#   bash tools/dist_train.sh configs/seg/sapiens_tiny_cihp.py 1 --amp
# Hardware: one small GPU or a CPU. Time: not measured.
# Expected: not measured, and no figure is published.
_base_ = ['../_base_/sizes/sapiens_tiny.py', '_base_/tiny.py', '_base_/cihp.py']

model = dict(
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size),
    decode_head=dict(in_channels=_base_.embed_dims, **_base_.thin_head))
loaders = [_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader]
for step in sum([loader.dataset.pipeline for loader in loaders], _base_.tta_pipeline):
    step.update({key: tuple(n // 4 for n in step[key]) for key in _base_.lengths if key in step})
train_pipeline = _base_.train_dataloader.dataset.pipeline
test_pipeline = _base_.test_dataloader.dataset.pipeline
del loaders, step
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
