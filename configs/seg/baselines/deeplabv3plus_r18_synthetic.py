# DeepLabV3+ (Chen et al., ECCV 2018) on a dilated ResNet-18 of half its width, 28 body parts on rendered people, at 128 x 96.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/seg/baselines/deeplabv3plus_r18_synthetic.py 2
# Hardware: two CPU cores. Time: not measured for the whole schedule.
# Expected: docs/baselines.md compares it in equal time.
_base_ = ['../_base_/resnet18_baseline.py']
model = dict(
    decode_head=dict(
        type='DepthwiseSeparableASPPHead',
        dilations=(1, 12, 24, 36),
        c1_in_channels=32,
        c1_channels=12))
