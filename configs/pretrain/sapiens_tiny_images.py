# Sapiens-tiny, masked pretraining on a plain folder of images, small enough for a CPU.
#   SAPIENS_IMAGES=FOLDER bash tools/dist_train.sh configs/pretrain/sapiens_tiny_images.py 2
# Hardware: a CPU. Time: not measured.
# Expected: not measured.
_base_ = ['sapiens_tiny_humans300m.py']

max_iters = 2000
warmup = 100
batch_size = 64
images = '{{$SAPIENS_IMAGES:data/images}}'

model = dict(neck=dict(decoder_embed_dims=128, decoder_depth=2, decoder_num_heads=4))
train_dataloader = dict(batch_size=batch_size, num_workers=2, dataset=dict(images=images))
# 1.5e-4 per 256 images is for 4096 and long schedules; short runs on few images want more.
optim_wrapper = dict(dtype='float32', optimizer=dict(lr=1e-3))
auto_scale_lr = dict(base_batch_size=batch_size)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=False, begin=0, end=warmup),
    dict(type='CosineAnnealingLR', T_max=max_iters - warmup, by_epoch=False, begin=warmup, end=max_iters),
]
train_cfg = dict(max_iters=max_iters)
default_hooks = dict(checkpoint=dict(interval=200))
