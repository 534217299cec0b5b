# Sapiens-0.3b, depth, normals and mattes from one pass on SynthHuman, at 512 x 384.
#   bash tools/dist_train.sh configs/multitask/sapiens_0.3b_synthhuman.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: about 12 GPU hours, computed.
# Expected: not measured.
_base_ = ['../_base_/sizes/sapiens_0.3b.py', '_base_/synthhuman.py']

head = dict(decode_head=dict(in_channels=_base_.embed_dims))
model = dict(
    backbone=dict(arch=_base_.arch),
    tasks=dict(depth=head, normal=head, matting=head))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
