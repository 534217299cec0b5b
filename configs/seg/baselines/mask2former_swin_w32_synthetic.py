# Mask2Former (Cheng et al., CVPR 2022) on a Swin of width 32, its head as narrow, 28 body parts on rendered people, at 128 x 96.
# Needs mmdet.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/seg/baselines/mask2former_swin_w32_synthetic.py 2
# Hardware: two CPU cores. Time: not measured for the whole schedule.
# Expected: docs/baselines.md compares it in equal time.
_base_ = [
    '../../_base_/encoders/swin_w32.py', '../_base_/synthetic_baseline.py',
    '../_base_/mask2former.py'
]

attention = dict(embed_dims=64, num_heads=4)
decode_head = _base_.mask2former
decode_head.merge(
    dict(
        in_channels=[32, 64, 128, 256],
        feat_channels=64,
        out_channels=64,
        num_queries=50,
        positional_encoding=dict(num_feats=32),
        pixel_decoder=dict(
            norm_cfg=dict(num_groups=8),
            positional_encoding=dict(num_feats=32),
            encoder=dict(
                num_layers=2,
                layer_cfg=dict(
                    self_attn_cfg=attention, ffn_cfg=dict(embed_dims=64, feedforward_channels=256)))),
        transformer_decoder=dict(
            num_layers=3,
            layer_cfg=dict(
                self_attn_cfg=attention,
                cross_attn_cfg=attention,
                ffn_cfg=dict(embed_dims=64, feedforward_channels=512))),
        train_cfg=dict(num_points=768)))  # of masks of 32 x 24

model = dict(backbone=_base_.encoder, decode_head=decode_head)
optim_wrapper = _base_.mask2former_optimizer
optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult = 1.0  # nothing pretrained to keep
