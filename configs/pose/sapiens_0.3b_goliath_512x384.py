# Sapiens-0.3b, 308 keypoints, at 512 x 384: a quarter of the tokens, for CPUs. Published weights load; their position
# table is resized. Best after a short fine-tuning at this size.
#   bash tools/dist_train.sh configs/pose/sapiens_0.3b_goliath_512x384.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['sapiens_0.3b_goliath.py']

size = (512, 384)  # (height, width)
codec = dict(_base_.codec, input_size=(384, 512), heatmap_size=(96, 128), sigma=3)
resized = {  # type of a transform: its settings
    'sapiens_pose.DecodeTopdownAffine': dict(input_size=codec['input_size']),
    'TopdownAffine': dict(input_size=codec['input_size']),
    'sapiens_pose.RejectFewKeypoints': dict(codec=codec)}
model = dict(backbone=dict(img_size=size), head=dict(decoder=codec))
train_pipeline = [dict(step, **resized.get(step.type, {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **resized.get(step.type, {})) for step in _base_.val_pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
