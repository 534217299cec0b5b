# RTMPose's family (Jiang et al., 2023) with MMPose's settings: coordinates as two classifications, a flat rate that falls
# along a cosine in the second half. Leaves give the width and depth.
_base_ = ['baseline.py']
size = (288, 384)  # (width, height)
codec = dict(
    type='SimCCLabel', input_size=size, sigma=(6., 6.93), simcc_split_ratio=2.0, normalize=False, use_dark=False)

backbone = dict(
    type='CSPNeXt',
    arch='P5',
    expand_ratio=0.5,
    channel_attention=True,
    out_indices=(4,),
    norm_cfg=dict(type='BN'),
    act_cfg=dict(type='SiLU'))
attention = dict(
    hidden_dims=256,
    s=128,
    expansion_factor=2,
    dropout_rate=0.,
    drop_path=0.,
    act_fn='SiLU',
    use_rel_bias=False,
    pos_enc=False)
head = dict(
    type='RTMCCHead',
    out_channels=308,
    input_size=size,
    in_featuremap_size=(size[0] // 32, size[1] // 32),
    simcc_split_ratio=2.0,
    final_layer_kernel_size=7,
    gau_cfg=attention,
    loss=dict(type='KLDiscretLoss', use_target_weight=True, beta=10., label_softmax=True),
    decoder=codec)
model = dict(test_cfg=dict(_delete_=True, flip_test=True))

fitted = {  # no unbiased crop: that belongs to heatmaps
    'sapiens_pose.DecodeTopdownAffine': dict(input_size=size, use_udp=False),
    'TopdownAffine': dict(input_size=size, use_udp=False),
    'GenerateTarget': dict(encoder=codec)}
train_pipeline = [dict(step, **fitted.get(step.type, {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **fitted.get(step.type, {})) for step in _base_.val_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader

rate = 4e-3
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=rate, weight_decay=0.05),
    clip_grad=dict(max_norm=35.0),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0, bypass_duplicate=True))
param_scheduler = [
    dict(type='LinearLR', begin=0, end=1000, start_factor=1e-5, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.05 * rate,
        begin=105,
        end=210,
        T_max=105,
        by_epoch=True,
        convert_to_iter_based=True)]
