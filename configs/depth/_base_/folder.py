# Depth from your own folder: images/ masks/ depths/ (or rgb/ mask/ depth/) under data_root, files matched by
# name, and train.txt and val.txt with one name per line. See docs/depth_and_normals.md.
_base_ = ['dense.py']
data_root = 'data/depth'
load = dict(type='sapiens_depth_normal.LoadMaps', depth_unit=1.0)  # 0.001 for files in millimetres
parts = dict(
    load=load,
    warp=dict(_base_.parts.warp, rotate_prob=0.5),
    normalize=dict(type='sapiens_depth_normal.NormalizeDepth'))
steps = ['load', 'warp', 'normalize', 'distort', 'pack']
train_pipeline = [dict(_base_.parts, **parts)[name] for name in steps]
test_pipeline = [dict(_base_.parts, **parts)[name] for name in _base_.test_steps]

model = dict(
    decode_head=dict(
        target='depth',
        deconv_out_channels=(384, 384, 384, 384),
        conv_out_channels=(384, 384),
        loss_decode=dict(type='sapiens_depth_normal.MaskedSiLogLoss'),
        # Relative depth lies in [0, 1]; started at 0 half of the pixels are clamped by the logarithm
        # and learn nothing. The published recipe starts at 0.
        init_cfg=dict(type='Normal', std=0.01, bias=0.5, override=dict(name='conv_seg'))))

dataset = dict(data_root=data_root, targets=['depth'])
train_dataloader = dict(
    dataset=dict(ann_file='train.txt', pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(ann_file='val.txt', pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(type='sapiens_depth_normal.HumanDepthMetric', unit='m')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='depth/aligned_rmse', rule='less'))
