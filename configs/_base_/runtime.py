# What every run shares: runner, hooks, logging, seeds. Tasks add default_scope and their own hooks.
runner_type = 'sapiens_train.SapiensRunner'
# Upstream's inferencers read the checkpoint before they meet a type of ours: torch must know by then what is data in it.
custom_imports = dict(imports=['sapiens_common'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=10),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The reference keeps every checkpoint (2b: about 25 GB each); three and the best are enough to resume.
    checkpoint=dict(type='sapiens_train.SafeCheckpointHook', interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'))

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))  # tools/ use gloo where there is no GPU

# Samples that cannot be read are replaced and reported; more than this share of the data set stops the run.
bad_samples = dict(max_share=0.01)

# TensorBoard, MLflow or W&B in addition: one more entry of vis_backends (docs/training.md).
visualizer = dict(
    type='Visualizer', name='visualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(by_epoch=True, window_size=10)
log_level = 'INFO'
randomness = dict(seed=0)
load_from = None
resume = False
