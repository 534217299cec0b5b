# ViTPose (Xu et al., NeurIPS 2022) on a ViT of the size of Sapiens-tiny, 308 keypoints on rendered people, at 128 x 96.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/pose/baselines/vitpose_tiny_synthetic.py 2
# Hardware: two CPU cores. Time: not measured for the whole schedule.
# Expected: docs/baselines.md compares it in equal time.
_base_ = ['../../_base_/encoders/vit_tiny.py', '../_base_/synthetic_baseline.py']

model = dict(
    backbone=dict(
        img_size=_base_.size[::-1],
        qkv_bias=True,
        with_cls_token=False,
        patch_cfg=dict(padding=2),
        **_base_.encoder),
    head=dict(
        type='HeatmapHead',
        in_channels=_base_.encoder.arch.embed_dims,
        out_channels=308,
        deconv_out_channels=(128, 128),
        deconv_kernel_sizes=(4, 4),
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=_base_.codec))
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.1),
    clip_grad=dict(max_norm=1.0))
