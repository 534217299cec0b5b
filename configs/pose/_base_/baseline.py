# What the baselines share: data, augmentations and epochs of the 308-point recipe, one input size, MMPose's
# estimator, and its codec with targets made in the loader. Leaves give encoder, head and optimizer.
_base_ = ['goliath.py']
size = (288, 384)  # (width, height)
maps = (size[0] // 4, size[1] // 4)
codec = dict(type='UDPHeatmap', input_size=size, heatmap_size=maps, sigma=3)

model = dict(
    _delete_=True,
    type='TopdownPoseEstimator',
    data_preprocessor=_base_.model.data_preprocessor,
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False))

few = dict(_base_.codec, input_size=size, heatmap_size=maps)  # judges a sample, makes no targets
fitted = {  # type of a transform: its settings
    'sapiens_pose.DecodeTopdownAffine': dict(input_size=size),
    'TopdownAffine': dict(input_size=size),
    'sapiens_pose.RejectFewKeypoints': dict(codec=few)}
targets = [dict(type='GenerateTarget', encoder=codec), dict(type='PackPoseInputs')]
train_pipeline = [
    dict(step, **fitted.get(step.type, {})) for step in _base_.train_pipeline
    if step.type != 'sapiens_pose.PackKeypoints'] + targets
val_pipeline = [dict(step, **fitted.get(step.type, {})) for step in _base_.val_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader

# In place of the layer decay for the Sapiens encoder. Recipes set the optimizer.
optim_wrapper = dict(_delete_=True, type='sapiens_train.SapiensOptimWrapper')
