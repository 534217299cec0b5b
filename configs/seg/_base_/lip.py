# Published recipe for LIP's 20 classes: 400 epochs, milder resizing, patch padding 2.
_base_ = ['runtime.py', 'model.py', 'data.py']
data_root = 'data/lip'
vocabulary = dict(name='lip')

model = dict(
    backbone=dict(patch_padding=2),
    decode_head=dict(
        num_classes=20,
        loss_decode=dict(
            type='sapiens_seg.WeightedCrossEntropy', vocabulary=vocabulary, average='pixels')))

parts = dict(
    resize=dict(_base_.parts.resize, ratio_range=(0.75, 1.25)),
    rotate=dict(_base_.parts.rotate, seg_pad_val=255))
train_pipeline = [dict(_base_.parts, **parts)[name] for name in _base_.steps]

train_dataloader = dict(
    dataset=dict(
        vocabulary=vocabulary,
        data_root=data_root,
        data_prefix=dict(
            img_path='images/train_images', seg_map_path='segmentations/train_segmentations'),
        pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(
        vocabulary=vocabulary,
        data_root=data_root,
        data_prefix=dict(
            img_path='images/val_images', seg_map_path='segmentations/val_segmentations')))
test_dataloader = val_dataloader
tta_model = dict(vocabulary=vocabulary)

train_cfg = dict(max_epochs=400)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=400, by_epoch=False),
    dict(type='CosineAnnealingLR', T_max=400, eta_min=0, begin=0, end=400, by_epoch=True)]
