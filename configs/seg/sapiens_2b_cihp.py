_base_ = ['../_base_/sizes/sapiens_2b.py', '_base_/cihp.py']

model = dict(
    backbone=dict(arch={{_base_.arch}}, img_size={{_base_.img_size}}),
    decode_head=dict(in_channels={{_base_.embed_dims}}))
