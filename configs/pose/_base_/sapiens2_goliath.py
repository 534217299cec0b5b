# Sapiens2's recipe for 308 keypoints; data and evaluation as in goliath.py. The schedule is _base_/schedules/sapiens2.py's.
_base_ = ['goliath.py']
size = (1024, 768)  # (height, width)

model = dict(
    backbone=dict(_delete_=True, type='sapiens_pretrain.Sapiens2ViT', img_size=size, with_cp=True),
    head=dict(
        deconv_out_channels=(1024, 768),
        conv_out_channels=(512, 512, 256),
        loss=dict(loss_weight=10.0),
        init_cfg=[
            dict(
                type='Kaiming',
                layer=['Conv2d', 'ConvTranspose2d'],
                mode='fan_out',
                nonlinearity='relu')
        ]))
# Boxes smaller than the input are enlarged by cubics, as the published weights saw them.
affine = dict(
    type='sapiens_pose.DecodeTopdownAffine', input_size=size[::-1], use_udp=True, cubic=True)
changed = {
    'sapiens_pose.DecodeTopdownAffine': dict(affine, hide_outside=True),
    'sapiens_pose.RejectFewKeypoints': dict(
        type='sapiens_pose.RejectFewKeypoints', codec=_base_.codec, min_body=6),
    'sapiens_common.ColourDistortion': dict(
        type='RandomApply', transforms=[dict(type='sapiens_common.ColourDistortion')], prob=0.8)}
train_pipeline = [changed.get(step['type'], step) for step in _base_.train_pipeline]
del changed
val_pipeline = [
    affine if step['type'].endswith('TopdownAffine') else step for step in _base_.val_pipeline]

train_dataloader = dict(
    batch_size=7,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader

optim_wrapper = dict(
    dtype='bfloat16', optimizer=dict(lr=5e-4), clip_grad=dict(max_norm=4.0))
warm_up = dict(type='LinearLR', start_factor=1e-3, begin=0, end=500, by_epoch=False)
to_zero = dict(type='PolyLR', power=1.0, eta_min=0, begin=500, by_epoch=False)  # leaves: end=iterations
train_cfg = dict(_delete_=True, by_epoch=False, val_interval=2000)
default_hooks = dict(checkpoint=dict(interval=2000), logger=dict(interval=50))
log_processor = dict(by_epoch=False)
