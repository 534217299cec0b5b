# 308 keypoints on the rendered people of tools/data/render_humans.py.
_base_ = ['goliath.py']
data_root = 'data/synthetic'  # --cfg-options data_root=DIR

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/person_keypoints_train.json',
        data_prefix=dict(img='images/')))
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/person_keypoints_val.json',
        data_prefix=dict(img='images/')))
test_dataloader = val_dataloader

optim_wrapper = dict(optimizer=dict(lr=1.5e-3, weight_decay=0.05))
train_cfg = dict(max_epochs=60, val_interval=20)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=60, start_factor=1e-2, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=60, end=60, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(interval=10, by_epoch=True))
