# COCO-WholeBody, 133 keypoints: the photos, boxes and schedule of COCO.
_base_ = ['coco.py']

model = dict(head=dict(out_channels=133))
train_dataloader = dict(
    dataset=dict(
        type='sapiens_pose.CheckedCocoWholeBodyDataset',
        ann_file='annotations/coco_wholebody_train_v1.0.json'))
val_dataloader = dict(
    dataset=dict(
        type='sapiens_pose.CheckedCocoWholeBodyDataset',
        ann_file='annotations/coco_wholebody_val_v1.0.json'))
test_dataloader = val_dataloader

val_evaluator = dict(type='CocoWholeBodyMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='coco-wholebody/AP'))
