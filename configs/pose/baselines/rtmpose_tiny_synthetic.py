# RTMPose-t (Jiang et al., 2023), 308 keypoints on rendered people, at 128 x 96.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/pose/baselines/rtmpose_tiny_synthetic.py 2
# Hardware: two CPU cores. Time: not measured for the whole schedule.
# Expected: docs/baselines.md compares it in equal time.
_base_ = ['../../_base_/encoders/cspnext_tiny.py', '../_base_/synthetic_baseline.py']
simcc = dict(
    type='SimCCLabel',
    input_size=_base_.size,
    sigma=(3.5, 4.0),  # MMPose's, with the root of the size
    simcc_split_ratio=2.0,
    normalize=False,
    use_dark=False)

model = dict(
    backbone=_base_.encoder,
    head=dict(
        type='RTMCCHead',
        in_channels=_base_.channels,
        out_channels=308,
        input_size=_base_.size,
        in_featuremap_size=(3, 4),
        simcc_split_ratio=2.0,
        final_layer_kernel_size=7,
        gau_cfg=dict(
            hidden_dims=256,
            s=128,
            expansion_factor=2,
            dropout_rate=0.,
            drop_path=0.,
            act_fn='SiLU',
            use_rel_bias=False,
            pos_enc=False),
        loss=dict(type='KLDiscretLoss', use_target_weight=True, beta=10., label_softmax=True),
        decoder=simcc),
    test_cfg=dict(_delete_=True, flip_test=True))

fitted = {  # no unbiased crop: that belongs to heatmaps
    'sapiens_pose.DecodeTopdownAffine': dict(use_udp=False),
    'GenerateTarget': dict(encoder=simcc)}
train_pipeline = [dict(step, **fitted.get(step.type, {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **fitted.get(step.type, {})) for step in _base_.val_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader

optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=4e-3, weight_decay=0.),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0, bypass_duplicate=True))
