# Depth on the rendered people of tools/data/render_humans.py, trained on a CPU in minutes.
_base_ = ['sapiens_tiny_folder.py']
data_root = 'data/synthetic'  # --cfg-options data_root=DIR
epochs = 15

for step in _base_.train_dataloader.dataset.pipeline:
    if 'scale' in step:
        step.update(scale=(0.9, 1.3), rotate_prob=0.3, max_angle=20)
del step

train_dataloader = dict(batch_size=8, num_workers=1, dataset=dict(data_root=data_root))
val_dataloader = dict(
    batch_size=16, num_workers=1, dataset=dict(data_root=data_root, framing='annotations'))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=epochs, val_interval=5)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=50, start_factor=1e-2, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=epochs, end=epochs, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(interval=5))
