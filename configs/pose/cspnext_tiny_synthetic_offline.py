# CSPNeXt-tiny, 308 keypoints on rendered people, and on photos that the bundled model has labelled once.
#   python tools/data/render_humans.py --preset photos --count 900 --out data/synthetic
#   python tools/annotate.py PHOTOS data/taught --tasks multitask --weights sapiens_tiny/multitask_synthetic --boxes image
#   bash tools/dist_train.sh configs/pose/cspnext_tiny_synthetic_offline.py 2
# Hardware: two CPU cores. Time: not measured.
# Expected: docs/distillation.md.
_base_ = ['cspnext_tiny_synthetic.py']
taught_root = 'data/taught'  # --cfg-options taught_root=DIR

labelled = _base_.train_dataloader.dataset
taught = dict(labelled, data_root=taught_root, ann_file='manifest.json')
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[labelled, taught],
        ignore_keys='CLASSES'))  # names of a COCO file's categories, which shards do not have
