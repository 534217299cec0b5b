# Optimizer of all fine-tuning recipes (reference 2.0). Recipes set lr and layer_decay_rate.
optim_wrapper = dict(
    type='sapiens_common.SapiensOptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.1, fused=True),
    constructor='sapiens_common.LayerwiseDecayConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.85),
    clip_grad=dict(max_norm=1.0, norm_type=2))
