# RTMDet-tiny: a quarter of the work of RTMDet-m, for CPUs and many streams.
_base_ = '_base_/rtmdet_person.py'

model = dict(
    backbone=dict(deepen_factor=0.167, widen_factor=0.375),
    neck=dict(in_channels=[96, 192, 384], out_channels=96, num_csp_blocks=1),
    bbox_head=dict(in_channels=96, feat_channels=96, exp_on_reg=False))

# A small model learns less from strong augmentation: upstream narrows it, and its caches.
for pipeline in (_base_.train_dataloader.dataset.pipeline, _base_.custom_hooks[1].switch_pipeline):
    for step in pipeline:
        if step.type == 'RandomResize':
            step.ratio_range = (0.5, 2.0)
        elif step.type == 'CachedMosaic':
            step.update(max_cached_images=20, random_pop=False)
        elif step.type == 'CachedMixUp':
            step.update(max_cached_images=10, random_pop=False, prob=0.5)
del pipeline, step
