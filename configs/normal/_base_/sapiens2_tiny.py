# What the tiny size changes in Sapiens2's dense recipes: input 128 x 96, a thin decoder, rendered people, a short schedule
# from scratch. Leaves apply it.
tiny_size = (128, 96)  # (height, width): half of the tiny size, four times the steps per minute
# Maps of 64 x 48, which the losses enlarge: layers at full size would cost more than all others.
thin_head = dict(
    upsample_out_channels=(64, 48, 32),
    conv_out_channels=(32, ),
    # The published start makes the first losses a hundred times as large: with few steps, start at nothing.
    init_cfg=dict(type='Normal', std=0.01, override=dict(name='conv_seg')))
tiny_root = 'data/synthetic'
tiny_loader = dict(
    batch_size=4, num_workers=1, sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True))
tiny_val_loader = dict(batch_size=16, num_workers=1)
# From scratch the decoder has the longest way to go: ten times the encoder's rate.
tiny_optim = dict(
    dtype='float32',
    constructor='DefaultOptimWrapperConstructor',
    optimizer=dict(lr=5e-4, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10.0))),
    clip_grad=dict(max_norm=5.0))
tiny_epochs = 16
tiny_cfg = dict(_delete_=True, by_epoch=True, max_epochs=tiny_epochs, val_interval=8)
tiny_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=1e-2, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        T_max=tiny_epochs,
        end=tiny_epochs,
        by_epoch=True,
        convert_to_iter_based=True)]
tiny_checkpoint = dict(interval=8, by_epoch=True)
