# Sapiens-tiny, masked pretraining on rendered people, at 256 x 192.
#   python tools/data/render_humans.py --preset quickstart --count 3000 --out data/synthetic
#   bash tools/dist_train.sh configs/pretrain/sapiens_tiny_synthetic.py 2 --amp
# Hardware: two CPU cores. Time: 21 minutes.
# Expected: loss 0.39; docs/pretraining.md says what it is worth.
_base_ = ['sapiens_tiny_images.py']

data_root = 'data/synthetic'  # --cfg-options data_root=DIR
crop = (256, 192)  # (height, width): 48 of 192 patches are seen, enough to guess a person from
max_iters = 4000
warmup = 100
model = dict(backbone=dict(img_size=crop), neck=dict(img_size=crop))
parts = dict(crop=dict(_base_.parts.crop, size=crop, area=(0.4, 1.0)))
train_pipeline = [dict(_base_.parts, **parts)[name] for name in ('crop', 'flip', 'pack')]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(images='data/synthetic/images', pipeline=train_pipeline))
auto_scale_lr = dict(base_batch_size=32)  # lr=1e-3 for 2 x 16 images
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=False, begin=0, end=warmup),
    dict(type='CosineAnnealingLR', T_max=max_iters - warmup, by_epoch=False, begin=warmup, end=max_iters)]
train_cfg = dict(max_iters=max_iters)
