# Pose, body parts, depth and normals from one encoder pass, on the rendered people of
# tools/data/render_humans.py. The whole image is the input of every task.
_base_ = ['../_base_/sizes/sapiens_tiny.py', './_base_/joint.py']

model = dict(
    data_preprocessor=dict(size=_base_.img_size),
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size),
    tasks=dict(
        pose=dict(head=dict(in_channels=_base_.embed_dims)),
        seg=dict(decode_head=dict(in_channels=_base_.embed_dims)),
        depth=dict(decode_head=dict(in_channels=_base_.embed_dims)),
        normal=dict(decode_head=dict(in_channels=_base_.embed_dims))))
