# CSPNeXt-tiny, 28 body parts on rendered people, with the bundled model as teacher.
#   python tools/data/render_humans.py --preset photos --count 900 --out data/synthetic
#   bash tools/dist_train.sh configs/seg/cspnext_tiny_synthetic_distilled.py 2
# Hardware: two CPU cores. Time: not measured.
# Expected: not measured.
_base_ = ['cspnext_tiny_synthetic.py']

model = dict(
    type='sapiens_multitask.DistilledSegmentor',
    distillation=dict(
        teacher=dict(model='sapiens_tiny/multitask_synthetic', task='seg'),
        outputs=dict(type='sapiens_multitask.SoftLabelLoss'),
        features=dict(type='sapiens_multitask.PairwiseSimilarityLoss')))
