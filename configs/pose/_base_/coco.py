# COCO, 17 keypoints. Validation uses the boxes of a detector with a person AP of 70; with
# val_dataloader.dataset.bbox_file=None and test_dataloader.dataset.bbox_file=None the annotated ones.
_base_ = ['runtime.py', 'topdown_1024x768.py']
data_root = 'data/coco'  # --cfg-options data_root=DIR reaches every path below

model = dict(head=dict(out_channels=17))
train_dataloader = dict(
    dataset=dict(
        type='sapiens_pose.CheckedCocoDataset',
        data_root=data_root,
        ann_file='annotations/person_keypoints_train2017.json',
        data_prefix=dict(img='train2017/'),
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    dataset=dict(
        type='sapiens_pose.CheckedCocoDataset',
        data_root=data_root,
        ann_file='annotations/person_keypoints_val2017.json',
        bbox_file=f'{data_root}/person_detection_results/COCO_val2017_detections_AP_H_70_person.json',
        data_prefix=dict(img='val2017/'),
        pipeline=_base_.val_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='sapiens_pose.CompletedCocoMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(interval=10, save_best='coco/AP', rule='greater'))
