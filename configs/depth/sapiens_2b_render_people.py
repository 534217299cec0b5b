# Sapiens-2b, depth, on renders of scanned people at 1024 x 768.
_base_ = ['../_base_/sizes/sapiens_2b.py', './_base_/render_people.py']

model = dict(backbone=dict(arch=_base_.arch), decode_head=dict(in_channels=_base_.embed_dims))
