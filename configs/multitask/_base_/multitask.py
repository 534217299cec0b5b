# One encoder, five heads, trained on rendered people who carry the labels of all tasks.
_base_ = [
    '../../_base_/runtime.py', '../../_base_/schedules/adamw_layer_decay.py',
    '../../_base_/matting_losses.py'
]
default_scope = 'mmseg'
visualizer = dict(type='sapiens_depth_normal.MapVisualizer')
data_root = 'data/synthetic'  # --cfg-options data_root=DIR

# ---- what you are likely to change ----
max_iters = 1500
warmup = 50
lr = 5e-4
train_ann_file = 'annotations/person_keypoints_train.json'
size = (192, 144)  # (height, width) of the input; multiples of 16
# Pose is what the encoder is for; the maps come along.
loss_weights = dict(pose=1.0, seg=1.0, depth=0.5, normal=0.5, matting=0.5)

# ---- what follows from it ----
heatmap_size = (size[1] // 4, size[0] // 4)  # (width, height)
shared = dict(type='sapiens_multitask.SharedFeatures')
thin = dict(deconv_out_channels=(64, 32, 32), conv_out_channels=(32, ))
model = dict(
    type='sapiens_multitask.MultitaskModel',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=size),
    backbone=dict(type='sapiens_pretrain.SapiensViT', img_size=size),
    loss_weights=loss_weights,
    tasks=dict(
        pose=dict(
            type='mmpose.TopdownPoseEstimator',
            backbone=shared,
            head=dict(
                type='sapiens_pose.PoseHead',
                out_channels=308,
                deconv_out_channels=(64, 64),
                conv_out_channels=(64, ),
                # Spots have the same number of pixels at any size: their sum counts, not their mean.
                loss=dict(
                    type='sapiens_pose.PeakedMSELoss',
                    mse_weight=0.13 * heatmap_size[0] * heatmap_size[1],
                    first=70),
                decoder=dict(
                    type='sapiens_pose.BatchedUDPHeatmap',
                    input_size=(size[1], size[0]),
                    heatmap_size=heatmap_size,
                    sigma=2)),
            test_cfg=dict(flip_test=False)),
        seg=dict(
            type='sapiens_seg.BodyPartSegmentor',
            backbone=shared,
            decode_head=dict(
                type='sapiens_seg.SapiensSegHead',
                num_classes=28,
                loss_decode=dict(
                    type='sapiens_seg.WeightedCrossEntropy', vocabulary=dict(name='goliath')),
                **thin),
            test_cfg=dict(mode='whole')),
        depth=dict(
            type='sapiens_depth_normal.DenseRegressor',
            backbone=shared,
            decode_head=dict(
                type='sapiens_depth_normal.DenseHead',
                target='depth',
                loss_decode=dict(type='sapiens_depth_normal.MaskedSiLogLoss'),
                init_cfg=dict(type='Normal', std=0.01, bias=0.5, override=dict(name='conv_seg')),
                **thin)),
        normal=dict(
            type='sapiens_depth_normal.DenseRegressor',
            backbone=shared,
            decode_head=dict(
                type='sapiens_depth_normal.DenseHead',
                target='normal',
                loss_decode=[
                    dict(type='sapiens_depth_normal.CosineLoss'),
                    dict(type='sapiens_depth_normal.PixelL1Loss')],
                **thin)),
        matting=dict(
            type='sapiens_depth_normal.DenseRegressor',
            backbone=shared,
            decode_head=dict(
                type='sapiens_depth_normal.PixelShuffleHead',
                target='matting',
                upsample_out_channels=(64, 32, 32),
                conv_out_channels=(32, ),
                loss_decode=_base_.matting_losses),
            # Alpha is learned long before colours are.
            test_cfg=dict(colours='photo'))))

# The keypoint data set gives image and points; the other labels lie beside its images.
load = dict(
    type='sapiens_depth_normal.LoadMaps',
    siblings=['mask', 'depth', 'normal', 'segmentation', 'alpha'])
window = dict(
    type='sapiens_multitask.RandomPersonWarp',
    size=size,
    map_stride=2,
    scale=(0.8, 1.25),
    half_prob=0.1,
    rotate_prob=0.3,
    max_angle=25)
weigh = dict(type='sapiens_multitask.WeighKeypoints', body=9.0, foot=2.0, face=0.5)
colours = dict(type='sapiens_common.ColourDistortion')
matte = dict(type='sapiens_depth_normal.MattingTarget')
pack = dict(type='sapiens_multitask.PackMultitask')
train_pipeline = [
    load, window, weigh, dict(type='sapiens_depth_normal.NormalizeDepth'), colours, matte, pack
]
crop = dict(type='sapiens_multitask.CropPerson', size=size)
resize = dict(type='sapiens_depth_normal.ResizeImage', size=size, antialias=True)
test_pipeline = [load, crop, resize, pack]

people = dict(
    type='sapiens_pose.GoliathDataset',
    data_root=data_root,
    data_prefix=dict(img='images/'),
    tight_boxes=False)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        ann_file=train_ann_file, pipeline=train_pipeline, **people))
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        ann_file='annotations/person_keypoints_val.json',
        test_mode=True,
        pipeline=test_pipeline,
        **people))
test_dataloader = val_dataloader
keypoint_metric = dict(type='sapiens_pose.Humans5KMetric')
val_evaluator = [
    keypoint_metric,
    dict(type='sapiens_multitask.BodyPartIoUMetric'),
    dict(type='sapiens_depth_normal.HumanDepthMetric'),
    dict(type='sapiens_depth_normal.HumanNormalMetric'),
    dict(type='sapiens_depth_normal.AlphaMatteMetric')]
test_evaluator = val_evaluator

# The maps' decoders begin from scratch, the encoder and the keypoints' decoder from the first stage.
optim_wrapper = dict(
    constructor='DefaultOptimWrapperConstructor',
    optimizer=dict(lr=lr, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys={'tasks': dict(lr_mult=6.0), 'tasks.pose': dict(lr_mult=3.0)}),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', begin=0, end=warmup, start_factor=1e-1, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=warmup,
        T_max=max_iters - warmup,
        end=max_iters,
        by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
log_processor = dict(by_epoch=False)
default_hooks = dict(
    logger=dict(interval=50),
    checkpoint=dict(by_epoch=False, interval=500))
custom_hooks = [dict(type='sapiens_depth_normal.DenseVisualizationHook', interval=500)]
