# Pose, body parts, depth, normals and mattes from one pass of CSPNeXt-tiny, at 128 x 96, with the bundled model as teacher.
#   python tools/data/render_humans.py --preset photos --count 900 --out data/synthetic
#   bash tools/dist_train.sh configs/multitask/cspnext_tiny_synthetic_distilled.py 2
# Hardware: two CPU cores. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/encoders/cspnext_tiny.py', '_base_/multitask.py']

size = (128, 96)  # (height, width): CSPNeXt halves both five times
head = dict(in_channels=_base_.channels, deconv_out_channels=(64, 64, 64))
model = dict(
    type='sapiens_multitask.DistilledMultitaskModel',
    data_preprocessor=dict(size=size),
    backbone=dict(_delete_=True, **_base_.encoder),
    tasks=dict(
        pose=dict(
            head=dict(
                head,
                loss=dict(mse_weight=100.0),
                decoder=dict(input_size=(96, 128), heatmap_size=(24, 32)))),
        seg=dict(decode_head=head),
        depth=dict(decode_head=head),
        normal=dict(decode_head=head),
        matting=dict(
            decode_head=dict(
                in_channels=_base_.channels, upsample_out_channels=(64, 64, 32, 32)))),
    distillation=dict(
        teacher=dict(model='sapiens_tiny/multitask_synthetic'),
        outputs=dict(
            pose=dict(type='mmpose.KeypointMSELoss', loss_weight=100.0),
            seg=dict(type='sapiens_multitask.SoftLabelLoss'),
            depth=dict(type='mmpose.L1Loss'),
            normal=dict(type='mmpose.L1Loss'),
            matting=dict(type='mmpose.L1Loss')),
        features=dict(type='sapiens_multitask.PairwiseSimilarityLoss')))

window = dict(_base_.window, size=size)
train_pipeline = [
    _base_.load, window, _base_.weigh, dict(type='sapiens_depth_normal.NormalizeDepth'),
    _base_.colours, _base_.matte, _base_.pack
]
test_pipeline = [
    _base_.load,
    dict(type='sapiens_multitask.CropPerson', size=size),
    dict(type='sapiens_depth_normal.ResizeImage', size=size, antialias=True), _base_.pack
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
