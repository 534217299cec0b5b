# Sapiens-1b, depth, on a folder of your own.
_base_ = ['../_base_/sizes/sapiens_1b.py', './_base_/folder.py']

model = dict(backbone=dict(arch=_base_.arch), decode_head=dict(in_channels=_base_.embed_dims))
