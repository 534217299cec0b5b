# RTMDet-tiny: a quarter of the work of RTMDet-m, for CPUs and many streams.
#   bash tools/dist_train.sh configs/det/rtmdet_tiny_person.py 8
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['_base_/rtmdet_person.py']

model = dict(
    backbone=dict(deepen_factor=0.167, widen_factor=0.375),
    neck=dict(in_channels=[96, 192, 384], out_channels=96, num_csp_blocks=1),
    bbox_head=dict(in_channels=96, feat_channels=96, exp_on_reg=False))

# A small model learns less from strong augmentation: upstream narrows it, and its caches.
small = dict(
    RandomResize=dict(ratio_range=(0.5, 2.0)),
    CachedMosaic=dict(max_cached_images=20, random_pop=False),
    CachedMixUp=dict(max_cached_images=10, random_pop=False, prob=0.5))
pipelines = [hook.switch_pipeline for hook in _base_.custom_hooks if 'switch_pipeline' in hook]
for step in sum(pipelines, _base_.train_dataloader.dataset.pipeline):
    step.update(small.get(step.type, dict()))
train_pipeline = _base_.train_dataloader.dataset.pipeline
del pipelines, step
