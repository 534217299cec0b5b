# A ViT of the size of Sapiens-tiny with DPT's head (Ranftl et al., ICCV 2021), relative depth on rendered people, at 128 x 96.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/depth/baselines/vit_tiny_dpt_synthetic.py 2
# Hardware: two CPU cores. Time: not measured for the whole schedule.
# Expected: docs/baselines.md compares it in equal time.
_base_ = ['../../_base_/encoders/vit_tiny.py', '../_base_/synthetic_baseline.py']

model = dict(
    backbone=dict(
        _delete_=True, img_size=_base_.size, out_indices=_base_.dpt_indices, **_base_.encoder),
    decode_head=dict(head=_base_.dpt_head))
