# Masked pretraining on rendered people, on two CPU cores in 20 minutes; docs/pretraining.md says what it is worth:
#   python tools/data/render_humans.py --preset quickstart --count 3000 --out data/synthetic
#   bash tools/dist_train.sh configs/pretrain/sapiens_tiny_synthetic.py 2 --amp
_base_ = './sapiens_tiny_images.py'

data_root = 'data/synthetic'  # --cfg-options data_root=DIR
crop = (256, 192)  # (height, width): 48 of 192 patches are seen, enough to guess a person from
max_iters = 4000
warmup = 100
model = dict(backbone=dict(img_size=crop), neck=dict(img_size=crop))
_base_.train_dataloader.dataset.pipeline[0].update(size=crop, area=(0.4, 1.0))
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(images='data/synthetic/images', pipeline=_base_.train_dataloader.dataset.pipeline))
auto_scale_lr = dict(base_batch_size=32)  # lr=1e-3 for 2 x 16 images
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=False, begin=0, end=warmup),
    dict(type='CosineAnnealingLR', T_max=max_iters - warmup, by_epoch=False, begin=warmup, end=max_iters)]
train_cfg = dict(max_iters=max_iters)
