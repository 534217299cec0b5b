# What the baselines on rendered people share: data, augmentations and schedule of the tiny recipe, MMPose's estimator, and
# its codec with targets made in the loader. Leaves give encoder, head and optimizer; nothing is pretrained.
_base_ = ['synthetic.py']
size = (96, 128)  # (width, height)
codec = dict(type='UDPHeatmap', input_size=size, heatmap_size=(24, 32), sigma=2)

model = dict(
    _delete_=True,
    type='TopdownPoseEstimator',
    data_preprocessor=_base_.model.data_preprocessor,
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False))

targets = [dict(type='GenerateTarget', encoder=codec), dict(type='PackPoseInputs')]
train_pipeline = [
    step for step in _base_.train_pipeline if step.type != 'sapiens_pose.PackKeypoints'] + targets
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(_delete_=True, type='sapiens_train.SapiensOptimWrapper')
