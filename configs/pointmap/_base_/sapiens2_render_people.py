# Sapiens2's recipe for pointmaps: rgb/ mask/ depth/ (metres) and camera_intrinsics/ of rendered scans, train.txt and
# val.txt with one name per line. Full precision, as published.
_base_ = ['../../normal/_base_/sapiens2_dense.py', 'losses.py']
parts = dict(reject=dict(type='sapiens_depth_normal.RejectMaps', min_depth=0.04))
steps = ['load', 'distort', 'scale', 'crop', 'flip', 'fit', 'reject', 'pack']
train_pipeline = [dict(_base_.parts, **parts)[name] for name in steps]

model = dict(
    decode_head=dict(
        type='sapiens_depth_normal.PointmapHead',
        grid_size=(64, 48),  # (rows, columns): the size of the input over the patch
        upsample_out_channels=(1536, 768, 512, 256),
        conv_out_channels=(64, 32, 16),
        loss_decode=_base_.pointmap_losses))
optim_wrapper = dict(dtype='float32')
float32_matmul_precision = 'high'  # TF32, as published
train_dataloader = dict(dataset=dict(targets=['depth', 'camera'], pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(targets=['depth', 'camera']))
test_dataloader = val_dataloader
val_evaluator = dict(type='sapiens_depth_normal.HumanPointmapMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='pointmap/metric_l2_mean', rule='less'))
