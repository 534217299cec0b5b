_base_ = ['../_base_/sizes/sapiens_0.6b.py', '_base_/lip.py']

model = dict(
    backbone=dict(arch={{_base_.arch}}, img_size={{_base_.img_size}}),
    decode_head=dict(in_channels={{_base_.embed_dims}}))
