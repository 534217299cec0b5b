# Sapiens2-0.4b, depth, normals and mattes from one pass on SynthHuman, at 512 x 384.
#   bash tools/dist_train.sh configs/multitask/sapiens2_0.4b_synthhuman.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: about 15 GPU hours, computed.
# Expected: not measured.
_base_ = ['../_base_/sizes/sapiens2_0.4b.py', '_base_/synthhuman.py']

head = dict(decode_head=dict(in_channels=_base_.embed_dims))
model = dict(
    backbone=dict(type='sapiens_pretrain.Sapiens2ViT', arch=_base_.arch),
    tasks=dict(depth=head, normal=head, matting=head))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
