# ViT-B of DINOv2 with DPT's head (Ranftl et al., ICCV 2021), normals on SynthHuman, at 518 x 392.
#   bash tools/dist_train.sh configs/normal/baselines/dinov2_vit_b_dpt_synthhuman.py 8 --amp
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['../dinov2_vit_b_synthhuman.py']

model = dict(
    backbone=dict(out_indices=_base_.dpt_indices),
    decode_head=dict(
        _delete_=True,
        type='sapiens_depth_normal.BorrowedHead',
        target='normal',
        head=_base_.dpt_head,
        loss_decode=_base_.model.decode_head.loss_decode))
