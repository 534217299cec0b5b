# Relative depth on SynthHuman: the published head and loss, and a term for edges.
_base_ = ['../../_base_/synthhuman.py']
parts = dict(_base_.parts, normalize=dict(type='sapiens_depth_normal.NormalizeDepth'))
train_pipeline = [
    parts[name] for name in ('load', 'warp', 'normalize', 'distort', 'degrade', 'pack')]

model = dict(
    decode_head=dict(
        type='sapiens_depth_normal.DenseHead',
        target='depth',
        deconv_out_channels=(384, 384, 384, 384),
        conv_out_channels=(384, 384),
        loss_decode=[
            dict(type='sapiens_depth_normal.MaskedSiLogLoss'),
            dict(type='sapiens_depth_normal.GradientMatchingLoss', log=False)],
        # In the middle of the range, where the logarithm clamps nothing.
        init_cfg=dict(type='Normal', std=0.01, bias=0.5, override=dict(name='conv_seg'))))
train_dataloader = dict(dataset=dict(targets=['depth'], pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(targets=['depth']))
test_dataloader = val_dataloader
val_evaluator = dict(type='sapiens_depth_normal.HumanDepthMetric', unit='m')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='depth/aligned_rmse', rule='less'))
