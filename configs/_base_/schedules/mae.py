# Optimizer and schedule of masked pretraining. The loader is endless, so everything counts iterations; the published
# "epoch" is nominal and stands for about 100 of them.
epoch = 100  # iterations

optim_wrapper = dict(
    type='sapiens_train.SapiensOptimWrapper',
    dtype='bfloat16',
    optimizer=dict(type='AdamW', lr=1.5e-4 * 4096 / 256, betas=(0.9, 0.95), weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1.0),
    constructor='sapiens_pretrain.NoDecayOptimWrapperConstructor',
    paramwise_cfg=dict(no_decay=('ln', 'bias', 'pos_embed', 'mask_token', 'cls_token')))
auto_scale_lr = dict(base_batch_size=4096, enable=True)

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=False, begin=0, end=40 * epoch),
    dict(type='CosineAnnealingLR', T_max=1560 * epoch, by_epoch=False, begin=40 * epoch, end=1600 * epoch),
]
train_cfg = dict(by_epoch=False, max_iters=1600 * epoch)

# torch.compile: --cfg-options compile=True
