# A ViT of the size of Sapiens-tiny with DPT's head (Ranftl et al., ICCV 2021), relative depth on rendered people, at 128 x 96.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/depth/baselines/vit_tiny_dpt_synthetic.py 2
# Hardware: two CPU cores. Time: not measured for the whole schedule.
# Expected: docs/baselines.md compares it in equal time.
_base_ = ['../../_base_/encoders/vit_tiny.py', '../sapiens_tiny_synthetic.py']

model = dict(
    backbone=dict(
        _delete_=True, img_size=_base_.size, out_indices=_base_.dpt_indices, **_base_.encoder),
    decode_head=dict(
        _delete_=True,
        type='sapiens_depth_normal.BorrowedHead',
        target='depth',
        head=dict(
            # In the middle of the range, where the logarithm clamps nothing.
            init_cfg=dict(type='Normal', std=0.01, bias=0.5, override=dict(name='conv_seg')),
            **_base_.dpt_head),
        loss_decode=_base_.model.decode_head.loss_decode))
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=dict(_delete_=True))
