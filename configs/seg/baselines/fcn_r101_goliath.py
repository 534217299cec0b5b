# FCN (Long et al., CVPR 2015) on a dilated ResNet-101.
#   bash tools/dist_train.sh configs/seg/baselines/fcn_r101_goliath.py 8
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/resnet101_baseline.py']
model = dict(decode_head=dict(type='FCNHead', num_convs=2, concat_input=True))
