# DeepLabV3+ (Chen et al., ECCV 2018) on a dilated ResNet-101.
#   bash tools/dist_train.sh configs/seg/baselines/deeplabv3plus_r101_goliath.py 8
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/resnet101_baseline.py']
model = dict(
    decode_head=dict(
        type='DepthwiseSeparableASPPHead',
        dilations=(1, 12, 24, 36),
        c1_in_channels=256,
        c1_channels=48))
