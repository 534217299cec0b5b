# 308 keypoints. The published training set is not public: train/ stands for data of yours in any of
# the three JSON forms of docs/pose.md. Evaluation is Humans-5K with annotated boxes.
_base_ = ['runtime.py', 'topdown_1024x768.py']
data_root = 'data/goliath'  # --cfg-options data_root=DIR reaches every path below

model = dict(head=dict(out_channels=308))
train_dataloader = dict(
    dataset=dict(
        type='sapiens_pose.GoliathDataset',
        data_root=data_root,
        ann_file='train/annotations/person_keypoints_train.json',
        data_prefix=dict(img='train/images/'),
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    dataset=dict(
        type='sapiens_pose.GoliathDataset',
        data_root=data_root,
        ann_file='test_5000/annotations/person_keypoints_test2023.json',
        data_prefix=dict(img='test_5000/images/'),
        pipeline=_base_.val_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='sapiens_pose.Humans5KMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=5e-5))
default_hooks = dict(
    checkpoint=dict(interval=1000, by_epoch=False, save_best='goliath/AP', rule='greater'))
