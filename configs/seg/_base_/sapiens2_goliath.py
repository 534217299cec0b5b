# Sapiens2's recipe for 29 body parts; data folders as in goliath_data.py, with ids 0..28, 255 ignored. The schedule is
# _base_/schedules/sapiens2.py's.
_base_ = ['goliath.py']
size = (1024, 768)  # (height, width)
vocabulary = dict(name='goliath29')
values = 'ids'  # 'goliath' for the ids of the 28 parts, 'goliath_raw' for the original 34 values

model = dict(
    # Input sizes are whole patches: nothing is padded.
    backbone=dict(_delete_=True, type='sapiens_pretrain.Sapiens2ViT', img_size=size, with_cp=True),
    decode_head=dict(
        num_classes=29,
        deconv_out_channels=(512, 256, 128, 64),
        conv_out_channels=(64, 64),
        dropout_ratio=0.0,
        init_cfg=[dict(type='Kaiming', layer='Conv2d', mode='fan_out', nonlinearity='relu')],
        loss_decode=[
            dict(
                type='sapiens_seg.WeightedCrossEntropy', vocabulary=vocabulary, average='pixels'),
            dict(type='sapiens_seg.BodyPartDice')]))

parts = dict(
    resize=dict(_base_.parts.resize, ratio_range=(0.4, 2.0)),
    # Padded, images smaller than the crop stay small in it; without, `fit` would enlarge them again.
    crop=dict(
        type='RandomApply',
        transforms=[
            _base_.parts.crop,
            dict(type='Pad', size=size[::-1], pad_val=dict(img=0, seg=255))],
        prob=0.3),
    degrade=dict(type='sapiens_common.Degrade', blur=0.3, noise=0.3),
    rotate=dict(_base_.parts.rotate, degree=60),
    fit=dict(type='sapiens_common.Stretch', size=size, targets=True),
    reject=dict(type='sapiens_seg.RejectBackground', min_share=0.01),
    fit_image=dict(type='sapiens_common.Stretch', size=size))
steps = [
    'load', 'labels', 'background', 'resize', 'crop', 'degrade', 'rotate', 'flip', 'distort', 'fit', 'reject',
    'pack']
train_pipeline = [dict(_base_.parts, background=_base_.background, **parts)[name] for name in steps]
test_pipeline = [dict(_base_.parts, **parts)[name] for name in ('read', 'fit_image', 'labels', 'pack')]

train_dataloader = dict(
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(vocabulary=vocabulary, values=values, pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(vocabulary=vocabulary, values=values, pipeline=test_pipeline))
test_dataloader = val_dataloader
tta_model = dict(vocabulary=vocabulary)

optim_wrapper = dict(dtype='bfloat16', clip_grad=dict(max_norm=4.0))
warm_up = dict(type='LinearLR', start_factor=1e-3, begin=0, end=500, by_epoch=False)
to_zero = dict(type='PolyLR', power=1.0, eta_min=0, begin=500, by_epoch=False)  # leaves: end=iterations
train_cfg = dict(_delete_=True, by_epoch=False, val_interval=2000)
default_hooks = dict(checkpoint=dict(interval=2000, by_epoch=False), logger=dict(interval=50))
log_processor = dict(by_epoch=False)
