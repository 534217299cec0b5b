# CSPNeXt-tiny, 308 keypoints on rendered people, with the bundled model as teacher.
#   python tools/data/render_humans.py --preset photos --count 900 --out data/synthetic
#   bash tools/dist_train.sh configs/pose/cspnext_tiny_synthetic_distilled.py 2
# Hardware: two CPU cores. Time: not measured.
# Expected: not measured.
_base_ = ['cspnext_tiny_synthetic.py']

model = dict(
    type='sapiens_multitask.DistilledPoseEstimator',
    distillation=dict(
        teacher=dict(model='sapiens_tiny/multitask_synthetic', task='pose'),
        outputs=dict(type='mmpose.KeypointMSELoss'),
        # Of weight 1 its gradient would be thirty times that of the heatmaps, whose squares are small.
        features=dict(type='sapiens_multitask.PairwiseSimilarityLoss', loss_weight=0.02)))
