# Sapiens-1b: pose, body parts, depth, normals and mattes from one pass of the encoder, on rendered people, at 1024 x 768.
#   python tools/data/render_humans.py --preset photos --out data/synthetic
#   bash tools/dist_train.sh configs/multitask/sapiens_1b_synthetic.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/sizes/sapiens_1b.py', '_base_/large.py']

model = dict(
    backbone=dict(arch=_base_.arch),
    tasks=dict(
        pose=dict(head=dict(in_channels=_base_.embed_dims)),
        seg=dict(decode_head=dict(in_channels=_base_.embed_dims)),
        depth=dict(decode_head=dict(in_channels=_base_.embed_dims)),
        normal=dict(decode_head=dict(in_channels=_base_.embed_dims)),
        matting=dict(decode_head=dict(in_channels=_base_.embed_dims))))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
