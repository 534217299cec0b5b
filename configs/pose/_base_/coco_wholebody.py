# COCO-WholeBody, 133 keypoints; boxes as for COCO.
_base_ = ['runtime.py']
num_keypoints = 133
data_root = 'data/coco'  # --cfg-options data_root=DIR reaches every path below

train_dataloader = dict(
    dataset=dict(
        type='sapiens_pose.CheckedCocoWholeBodyDataset',
        data_root=data_root,
        ann_file='annotations/coco_wholebody_train_v1.0.json',
        data_prefix=dict(img='train2017/')))
val_dataloader = dict(
    dataset=dict(
        type='sapiens_pose.CheckedCocoWholeBodyDataset',
        data_root=data_root,
        ann_file='annotations/coco_wholebody_val_v1.0.json',
        bbox_file=f'{data_root}/person_detection_results/COCO_val2017_detections_AP_H_70_person.json',
        data_prefix=dict(img='val2017/')))
test_dataloader = val_dataloader

val_evaluator = dict(type='CocoWholeBodyMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(interval=10, save_best='coco-wholebody/AP', rule='greater'))
