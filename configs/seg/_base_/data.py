# Augmentations, loaders and evaluation of the published recipe. Recipes say which data.
train_pipeline = [
    dict(type='sapiens_common.LoadPhoto', at_least=(2048, 1536)),  # the largest RandomResize asks for
    dict(type='sapiens_seg.LoadLabels'),
    dict(
        type='RandomResize',
        scale=(768, 1024),  # (w, h)
        ratio_range=(0.2, 2.0),
        keep_ratio=True),
    dict(type='RandomCrop', crop_size=(1024, 768), cat_max_ratio=0.75),  # (h, w)
    dict(type='Resize', scale=(768, 1024), keep_ratio=False),
    dict(type='RandomRotate', prob=0.5, degree=45, pad_val=0, seg_pad_val=0),
    dict(type='sapiens_seg.SwapFlip', prob=0.5),
    dict(type='sapiens_common.ColourDistortion'),
    dict(type='PackSegInputs')]

# The aspect ratio is not kept: people are seen as the published weights saw them.
test_pipeline = [
    dict(type='sapiens_common.LoadPhoto'),
    dict(type='Resize', scale=(768, 1024), keep_ratio=False),
    dict(type='sapiens_seg.LoadLabels'),  # at the original size, where the metric compares
    dict(type='PackSegInputs')]

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
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])  # mIoU, mAcc and the table per class
test_evaluator = val_evaluator

# tools/test.py --tta: three scales, each also mirrored.
tta_model = dict(type='sapiens_seg.BodyPartTTAModel')
tta_pipeline = [
    dict(type='sapiens_common.LoadPhoto'),
    dict(type='Resize', scale=(960, 1280), keep_ratio=False),
    dict(
        type='TestTimeAug',
        transforms=[
            # 768 x 576, 1024 x 768 and 1280 x 960 (h x w)
            [
                dict(type='Resize', scale_factor=0.6, keep_ratio=True),
                dict(type='Resize', scale_factor=0.8, keep_ratio=True),
                dict(type='Resize', scale_factor=1.0, keep_ratio=True)
            ],
            [
                dict(type='RandomFlip', prob=0.0, direction='horizontal'),
                dict(type='RandomFlip', prob=1.0, direction='horizontal')
            ],
            [dict(type='sapiens_seg.LoadLabels')],
            [dict(type='PackSegInputs')]
        ])]
