# FCN (Long et al., CVPR 2015) on a dilated ResNet-101.
_base_ = ['../_base_/resnet101_baseline.py']
model = dict(decode_head=dict(type='FCNHead', num_convs=2, concat_input=True))
