# 308 keypoints on the rendered people of tools/data/render_humans.py. The input is 128 x 96 (h x w), of which a CPU sees
# enough samples in minutes.
_base_ = ['goliath.py']
data_root = 'data/synthetic'  # --cfg-options data_root=DIR
codec = dict(input_size=(96, 128), heatmap_size=(24, 32), sigma=2)

model = dict(
    head=dict(deconv_out_channels=(128, 128), conv_out_channels=(128, 128), decoder=codec))
load = dict(type='sapiens_pose.LoadPersonImage', defer=True)
box = dict(type='GetBBoxCenterScale', padding=1.25)
affine = dict(
    type='sapiens_pose.DecodeTopdownAffine', input_size=codec['input_size'], use_udp=True)
train_pipeline = [
    load,
    box,
    dict(type='RandomFlip', direction='horizontal', prob=0.5),
    # Rendered people stand upright, in training and validation: mild changes suffice.
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.05,
        shift_prob=0.5,
        scale_factor=(0.9, 1.15),
        rotate_factor=20.0,
        rotate_prob=0.3),
    affine,
    dict(type='sapiens_common.ColourDistortion', channel_swap=True),
    dict(type='sapiens_pose.PackKeypoints')]
val_pipeline = [load, box, affine, dict(type='PackPoseInputs')]

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
train_cfg = dict(max_epochs=60, val_interval=20)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=60, start_factor=1e-2, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=60, end=60, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(interval=10, by_epoch=True))
