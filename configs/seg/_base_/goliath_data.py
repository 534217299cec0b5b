# 28 body parts. train/ and test/ (Humans-2K) each hold images/*.{jpg,jpeg,png,webp} and
# segmentations/*.png with ids 0..27, 255 ignored.
_base_ = ['data.py']
data_root = 'data/goliath'  # --cfg-options data_root=... moves all paths
vocabulary = dict(name='goliath')
values = 'ids'  # 'goliath_raw' for the original 34-value annotation

# Pictures without people. None at hand: train_dataloader.dataset.pipeline.2.prob=0
background = dict(type='sapiens_common.RandomBackground', prob=0.8, folder=f'{data_root}/backgrounds')
steps = ['load', 'labels', 'background', 'resize', 'crop', 'fit', 'rotate', 'flip', 'distort', 'pack']
train_pipeline = [dict(_base_.parts, background=background)[name] for name in steps]

train_dataloader = dict(
    dataset=dict(
        vocabulary=vocabulary,
        values=values,
        data_root=f'{data_root}/train',
        pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(vocabulary=vocabulary, values=values, data_root=f'{data_root}/test'))
test_dataloader = val_dataloader
tta_model = dict(vocabulary=vocabulary)
