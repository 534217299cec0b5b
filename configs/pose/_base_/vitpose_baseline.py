# ViTPose (Xu et al., NeurIPS 2022) with MMPose's settings: a plain ViT from ImageNet's masked autoencoder, two
# deconvolutions. Leaves give the size.
_base_ = ['baseline.py']

model = dict(
    backbone=dict(
        type='mmpretrain.VisionTransformer',
        img_size=_base_.size[::-1],
        patch_size=16,
        qkv_bias=True,
        with_cls_token=False,
        out_type='featmap',
        patch_cfg=dict(padding=2)),
    head=dict(
        type='HeatmapHead',
        out_channels=308,
        deconv_out_channels=(256, 256),
        deconv_kernel_sizes=(4, 4),
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=_base_.codec))
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.1),
    constructor='sapiens_train.LayerwiseDecayConstructor',
    clip_grad=dict(max_norm=1.0))
