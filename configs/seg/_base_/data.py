# Augmentations, loaders and evaluation of the published recipes, in named parts. Recipes say which data.
parts = dict(
    load=dict(type='sapiens_common.LoadPhoto', at_least=(2048, 1536)),  # the largest that resize asks for
    load_whole=dict(type='sapiens_common.LoadPhoto'),
    read=dict(type='LoadImageFromFile'),  # the name that MMSegInferencer looks for
    labels=dict(type='sapiens_seg.LoadLabels'),
    resize=dict(
        type='RandomResize',
        scale=(768, 1024),  # (w, h)
        ratio_range=(0.2, 2.0),
        keep_ratio=True),
    crop=dict(type='RandomCrop', crop_size=(1024, 768), cat_max_ratio=0.75),  # (h, w)
    fit=dict(type='Resize', scale=(768, 1024), keep_ratio=False),
    rotate=dict(type='RandomRotate', prob=0.5, degree=45, pad_val=0, seg_pad_val=0),
    flip=dict(type='sapiens_seg.SwapFlip', prob=0.5),
    distort=dict(type='sapiens_common.ColourDistortion'),
    pack=dict(type='PackSegInputs'))
steps = ['load', 'labels', 'resize', 'crop', 'fit', 'rotate', 'flip', 'distort', 'pack']
train_pipeline = [parts[name] for name in steps]

# The aspect ratio is not kept: people are seen as the published weights saw them. Labels are read after the resize, at
# the original size, where the metric compares.
test_pipeline = [parts[name] for name in ('read', 'fit', 'labels', 'pack')]

train_dataloader = dict(
    batch_size=2,  # per process; how many the published models had is not recorded
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='sapiens_seg.BodyPartDataset', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='sapiens_seg.BodyPartDataset', test_mode=True, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='sapiens_seg.ClassIoUMetric', iou_metrics=['mIoU'])  # mIoU, mAcc and the table per class
test_evaluator = val_evaluator

# tools/test.py --tta: three scales, each also mirrored.
tta_model = dict(type='sapiens_seg.BodyPartTTAModel')
tta_flips = [
    dict(type='RandomFlip', prob=0.0, direction='horizontal'),
    dict(type='RandomFlip', prob=1.0, direction='horizontal')]
tta_pipeline = [
    parts['load_whole'],
    dict(type='Resize', scale=(960, 1280), keep_ratio=False),
    dict(
        type='TestTimeAug',
        transforms=[
            # 768 x 576, 1024 x 768 and 1280 x 960 (h x w)
            [dict(type='Resize', scale_factor=factor, keep_ratio=True) for factor in (0.6, 0.8, 1.0)],
            tta_flips,
            [parts['labels']],
            [parts['pack']]
        ])]
