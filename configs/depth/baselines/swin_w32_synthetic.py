# Swin (Liu et al., ICCV 2021) of width 32 with UPerNet (Xiao et al., ECCV 2018), relative depth on rendered people, at 128 x 96.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/depth/baselines/swin_w32_synthetic.py 2
# Hardware: two CPU cores. Time: not measured for the whole schedule.
# Expected: docs/baselines.md compares it in equal time.
_base_ = ['../../_base_/encoders/swin_w32.py', '../_base_/synthetic_baseline.py']

model = dict(
    backbone=dict(_delete_=True, **_base_.encoder), decode_head=dict(head=_base_.head))
