# Sapiens-tiny, 28 body parts on rendered people, at 128 x 96, from scratch.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/seg/sapiens_tiny_synthetic.py 2 --amp
# Hardware: two CPU cores. Time: ten minutes.
# Expected: mIoU 22.9, pixel accuracy 87.4 % on the 60 people held out (docs/segmentation.md).
_base_ = ['sapiens_tiny_goliath.py']
data_root = 'data/synthetic'
epochs = 60  # 68 steps each on two processes

model = dict(
    backbone=dict(img_size=(128, 96)),  # half of the tiny size: four times the steps per minute
    decode_head=dict(
        loss_decode=dict(
            average='weights',
            vocabulary=dict(
                # What tools/data/check_dataset.py suggests for these renders.
                weights=[
                    0.1, 0.5, 0.2, 0.3, 2.6, 0.4, 0.4, 1.0, 1.2, 1.5, 0.4, 1.0, 0.1, 2.5, 0.5, 0.4,
                    1.0, 1.2, 1.5, 0.4, 1.0, 0.3, 0.1, 1.6, 1.9, 10.0, 4.4, 10.0
                ]))))

parts = dict(
    resize=dict(type='RandomResize', scale=(96, 128), ratio_range=(0.9, 1.3), keep_ratio=True),
    crop=dict(type='RandomCrop', crop_size=(128, 96)),
    fit=dict(type='Resize', scale=(96, 128), keep_ratio=False))
# The renders have random backgrounds and turned people already.
steps = ['load_whole', 'labels', 'resize', 'crop', 'fit', 'flip', 'distort', 'pack']
train_pipeline = [dict(_base_.parts, **parts)[name] for name in steps]
test_pipeline = [
    dict(_base_.parts, **parts)[name] for name in ('read', 'fit', 'labels', 'pack')]
# Whole patches at each scale: 64 x 48, 128 x 96 and 192 x 144.
tta_scales = [
    dict(type='Resize', scale_factor=factor, keep_ratio=True) for factor in (1 / 3, 2 / 3, 1.0)]
tta_pipeline = [
    _base_.parts.load_whole,
    dict(type='Resize', scale=(144, 192), keep_ratio=False),
    dict(
        type='TestTimeAug',
        transforms=[tta_scales, _base_.tta_flips, [_base_.parts.labels], [_base_.parts.pack]])]

train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(data_root=data_root, ann_file='train.txt', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(data_root=data_root, ann_file='val.txt', pipeline=test_pipeline))
test_dataloader = val_dataloader

# From scratch the decoder has the longest way to go: ten times the encoder's rate.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3, weight_decay=0.05),
    constructor='DefaultOptimWrapperConstructor',
    paramwise_cfg=dict(_delete_=True, custom_keys=dict(decode_head=dict(lr_mult=10.0))),
    clip_grad=dict(max_norm=5.0))
train_cfg = dict(max_epochs=epochs, val_interval=20)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, begin=0, end=30, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        T_max=epochs,
        eta_min_ratio=1e-2,
        begin=0,
        end=epochs,
        by_epoch=True,
        convert_to_iter_based=True)]
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=20))
