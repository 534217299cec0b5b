# Sapiens-tiny, depth on rendered people, at 128 x 96, from scratch.
#   python tools/data/render_humans.py --preset quickstart --count 3000 --out data/synthetic
#   bash tools/dist_train.sh configs/depth/sapiens_tiny_synthetic.py 2 --amp
# Hardware: two CPU cores. Time: thirteen minutes.
# Expected: RMSE 0.065 m, AbsRel 0.036 on the 300 people held out, scale and shift fitted (docs/depth_and_normals.md).
_base_ = ['sapiens_tiny_folder.py']
data_root = 'data/synthetic'
epochs = 30
size = (128, 96)  # (height, width): half of the tiny size, four times the steps per minute

model = dict(
    backbone=dict(img_size=size),
    data_preprocessor=dict(size=size),
    # The published loss alone learns slowly from scratch: the logarithm gives the nearest pixels most of the
    # weight, which eps bounds, and differences between neighbours are learnt before the depth of a limb.
    decode_head=dict(loss_decode=[
        dict(type='sapiens_depth_normal.MaskedSiLogLoss', eps=0.1, variance_focus=0.85),
        dict(type='sapiens_depth_normal.GradientMatchingLoss', log=False)]))
loaders = [_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader]
for step in [step for loader in loaders for step in loader.dataset.pipeline if 'size' in step]:
    step.size = size
    if 'scale' in step:  # the renders are varied already
        step.update(scale=(0.9, 1.3), rotate_prob=0.3, max_angle=20)
train_pipeline = _base_.train_dataloader.dataset.pipeline
test_pipeline = _base_.test_dataloader.dataset.pipeline
del loaders, step

train_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(data_root=data_root))
val_dataloader = dict(
    batch_size=16, num_workers=1, dataset=dict(data_root=data_root, framing='annotations'))
test_dataloader = val_dataloader
# From scratch the decoder has the longest way to go: ten times the encoder's rate.
optim_wrapper = dict(
    constructor='DefaultOptimWrapperConstructor',
    optimizer=dict(lr=5e-4, weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, custom_keys=dict(decode_head=dict(lr_mult=10.0))),
    clip_grad=dict(max_norm=5.0))
train_cfg = dict(max_epochs=epochs, val_interval=10)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=1e-2, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=epochs, end=epochs, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(interval=10))
