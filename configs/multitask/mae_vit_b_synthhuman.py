# ViT-B of mmpretrain's masked autoencoder, depth, normals and mattes from one pass on SynthHuman, at 512 x 384.
#   bash tools/dist_train.sh configs/multitask/mae_vit_b_synthhuman.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: about 5 GPU hours, computed.
# Expected: not measured.
_base_ = ['../_base_/encoders/mae_vit_b.py', '_base_/synthhuman.py']

head = dict(decode_head=dict(in_channels=_base_.embed_dims))
model = dict(
    backbone=dict(_delete_=True, img_size=_base_.size, **_base_.encoder),
    tasks=dict(depth=head, normal=head, matting=head))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
