# ViT-B of DINOv2 with DPT's head (Ranftl et al., ICCV 2021), relative depth on SynthHuman, at 518 x 392.
#   bash tools/dist_train.sh configs/depth/baselines/dinov2_vit_b_dpt_synthhuman.py 8 --amp
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../dinov2_vit_b_synthhuman.py']

model = dict(
    backbone=dict(out_indices=(2, 5, 8, 11)),
    decode_head=dict(
        _delete_=True,
        type='sapiens_depth_normal.BorrowedHead',
        target='depth',
        head=dict(
            type='mmseg.DPTHead',
            in_channels=(768, 768, 768, 768),
            in_index=(0, 1, 2, 3),
            input_transform='multiple_select',
            channels=256,
            embed_dims=768,
            post_process_channels=[96, 192, 384, 768],
            readout_type='ignore',
            # In the middle of the range, where the logarithm clamps nothing.
            init_cfg=dict(type='Normal', std=0.01, bias=0.5, override=dict(name='conv_seg')),
            norm_cfg=dict(type='BN')),
        loss_decode=_base_.model.decode_head.loss_decode))
