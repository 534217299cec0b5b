# Optimizer and schedule of masked pretraining (reference 2.1). The loader is endless, so everything counts
# iterations; the reference's "epoch" is nominal and stands for about 100 of them.
epoch = 100  # iterations

optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    optimizer=dict(type='AdamW', lr=1.5e-4 * 4096 / 256, betas=(0.9, 0.95), weight_decay=0.05, fused=True),
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(
        custom_keys=dict(
            ln=dict(decay_mult=0.0),
            bias=dict(decay_mult=0.0),
            pos_embed=dict(decay_mult=0.0),
            mask_token=dict(decay_mult=0.0),
            cls_token=dict(decay_mult=0.0))))
auto_scale_lr = dict(base_batch_size=4096, enable=True)

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, by_epoch=False, begin=0, end=40 * epoch),
    dict(type='CosineAnnealingLR', T_max=1560 * epoch, by_epoch=False, begin=40 * epoch, end=1600 * epoch),
]
train_cfg = dict(type='sapiens_common.ResumableIterLoop', max_iters=1600 * epoch)

# compile = dict(mode='default')  # torch.compile of a training step; try it with --cfg-options compile.mode=default
