# Runtime, optimizer and schedule of Sapiens2's dense recipes; pose and seg, whose recipes have a runtime of their own,
# repeat it. Leaves say how many iterations, and what their size wants otherwise: rate, clip, batch per process.
_base_ = ['adamw_layer_decay.py', '../runtime.py']

optim_wrapper = dict(dtype='bfloat16', clip_grad=dict(max_norm=4.0))
warm_up = dict(type='LinearLR', start_factor=1e-3, begin=0, end=500, by_epoch=False)
to_zero = dict(type='PolyLR', power=1.0, eta_min=0, begin=500, by_epoch=False)  # leaves: end=iterations

train_cfg = dict(by_epoch=False, val_interval=2000)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(
    checkpoint=dict(interval=2000, by_epoch=False),
    logger=dict(interval=50))
log_processor = dict(by_epoch=False)
# The published runs compile the model: --cfg-options compile=True
