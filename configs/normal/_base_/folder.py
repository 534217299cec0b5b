# Normals from your own folder: images/ masks/ normals/ (or rgb/ mask/ normal/) under data_root, files matched
# by name, and train.txt and val.txt with one name per line. See docs/depth_and_normals.md.
_base_ = ['../../depth/_base_/dense.py']
data_root = 'data/normal'
# Camera coordinates of your files: opengl is X right, Y up, Z to the camera; opencv is X right, Y down, Z away.
load = dict(type='sapiens_depth_normal.LoadMaps', convention='opengl')
parts = dict(load=load)
# The published recipe does not rotate; rotate_prob=0.5 is safe here, since normals turn with the image.
steps = ['load', 'warp', 'distort', 'pack']
train_pipeline = [dict(_base_.parts, **parts)[name] for name in steps]
test_pipeline = [dict(_base_.parts, **parts)[name] for name in _base_.test_steps]

model = dict(
    backbone=dict(patch_padding=2),  # as the published weights
    decode_head=dict(
        target='normal',
        deconv_out_channels=(768, 768, 768),
        conv_out_channels=(768, 768, 768),
        loss_decode=[
            dict(type='sapiens_depth_normal.CosineLoss'),
            dict(type='sapiens_depth_normal.PixelL1Loss')]))

dataset = dict(data_root=data_root, targets=['normal'])
train_dataloader = dict(
    dataset=dict(ann_file='train.txt', pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(ann_file='val.txt', pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(type='sapiens_depth_normal.HumanNormalMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='normal/mean', rule='less'))
