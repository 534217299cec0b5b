# 308 keypoints on the rendered people of tools/data/render_humans.py: the quick start's model. At
# 128 x 96 (h x w) a CPU sees enough samples in six minutes; docs/pose.md says what to expect.
_base_ = ['sapiens_tiny_goliath.py']
data_root = 'data/synthetic'  # --cfg-options data_root=DIR
codec = dict(input_size=(96, 128), heatmap_size=(24, 32), sigma=2)

model = dict(backbone=dict(img_size=(128, 96)), head=dict(decoder=codec))
train_pipeline = [
    dict(type='sapiens_pose.LoadImage', defer=True),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal', prob=0.5),
    # People look at the camera and stand upright, in training and validation: mild changes suffice.
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.05,
        shift_prob=0.5,
        scale_factor=(0.9, 1.15),
        rotate_factor=20.0,
        rotate_prob=0.3),
    dict(type='sapiens_pose.TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='sapiens_common.PhotometricDistortion', channel_swap=True),
    dict(type='sapiens_pose.PackKeypoints')]
val_pipeline = [
    dict(type='sapiens_pose.LoadImage', defer=True),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='sapiens_pose.TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='PackPoseInputs')]

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/person_keypoints_train.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/person_keypoints_val.json',
        data_prefix=dict(img='images/'),
        pipeline=val_pipeline))
test_dataloader = val_dataloader

optim_wrapper = dict(optimizer=dict(lr=1.5e-3, weight_decay=0.05))
train_cfg = dict(max_epochs=80, val_interval=20)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=60, start_factor=1e-2, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=80, end=80, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(interval=10, by_epoch=True))
