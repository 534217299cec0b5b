# Sapiens-tiny, surface normals on rendered people, at 128 x 96, from scratch.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/normal/sapiens_tiny_synthetic.py 2 --amp
# Hardware: two CPU cores. Time: five minutes.
# Expected: mean error 23.9 degrees on the 60 people held out (docs/depth_and_normals.md).
_base_ = ['sapiens_tiny_folder.py']
data_root = 'data/synthetic'
epochs = 40
size = (128, 96)  # (height, width): half of the tiny size, four times the steps per minute

model = dict(backbone=dict(img_size=size), data_preprocessor=dict(size=size))
loaders = [_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader]
for step in [step for loader in loaders for step in loader.dataset.pipeline if 'size' in step]:
    step.size = size
    if 'scale' in step:  # the renders are varied already
        step.update(scale=(0.9, 1.3))
train_pipeline = _base_.train_dataloader.dataset.pipeline
test_pipeline = _base_.test_dataloader.dataset.pipeline
del loaders, step

train_dataloader = dict(batch_size=4, num_workers=1, dataset=dict(data_root=data_root))
val_dataloader = dict(
    batch_size=16, num_workers=1, dataset=dict(data_root=data_root, framing='annotations'))
test_dataloader = val_dataloader
# From scratch the decoder has the longest way to go: ten times the encoder's rate.
optim_wrapper = dict(
    constructor='DefaultOptimWrapperConstructor',
    optimizer=dict(weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, custom_keys=dict(decode_head=dict(lr_mult=10.0))),
    clip_grad=dict(max_norm=5.0))
train_cfg = dict(max_epochs=epochs, val_interval=20)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=1e-2, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=epochs, end=epochs, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(interval=20))
