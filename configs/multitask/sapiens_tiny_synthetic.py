# Pose, body parts, depth and normals from one pass of the encoder, on crops of rendered people, from scratch.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/multitask/sapiens_tiny_synthetic.py 2 --amp
# Hardware: two CPU cores. Time: not measured.
# Expected: not measured.
_base_ = ['../_base_/sizes/sapiens_tiny.py', '_base_/multitask.py']

model = dict(
    backbone=dict(arch=_base_.arch),
    tasks=dict(
        pose=dict(head=dict(in_channels=_base_.embed_dims)),
        seg=dict(decode_head=dict(in_channels=_base_.embed_dims)),
        depth=dict(decode_head=dict(in_channels=_base_.embed_dims)),
        normal=dict(decode_head=dict(in_channels=_base_.embed_dims))))
