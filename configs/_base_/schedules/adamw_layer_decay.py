# Optimizer of all fine-tuning recipes. Recipes set lr, leaves the layer_decay_rate of their size card.
optim_wrapper = dict(
    type='sapiens_train.SapiensOptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.1, fused=True),
    constructor='sapiens_train.LayerwiseDecayConstructor',
    clip_grad=dict(max_norm=1.0, norm_type=2))
