# What every segmentation run shares: MMSegmentation's scope, checks, pictures, the published optimizer.
_base_ = ['../../_base_/runtime.py', '../../_base_/schedules/adamw_layer_decay.py']
default_scope = 'mmseg'

default_hooks = dict(
    checkpoint=dict(save_best='mIoU', rule='greater'),
    # Labels drawn over validation and test images: default_hooks.visualization.draw=True
    visualization=dict(type='SegVisualizationHook', draw=False, interval=50))
custom_hooks = [dict(type='sapiens_seg.ClassCheckHook')]
visualizer = dict(type='sapiens_seg.PartsVisualizer', alpha=0.5)

train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=1)
val_cfg = dict()
test_cfg = dict()
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=400, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0, begin=0, end=200, by_epoch=True)]
