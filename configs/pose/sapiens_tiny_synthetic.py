# 308 keypoints on rendered people, at 128 x 96, from scratch; sapiens_tiny_synthetic_from_bundled.py starts further on.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/pose/sapiens_tiny_synthetic.py 2
# Hardware: two CPU cores. Time: seven minutes.
# Expected: body AP 43.7, foot 40.9, whole 3.9 on the 60 people held out (docs/pose.md).
_base_ = ['../_base_/sizes/sapiens_tiny.py', '_base_/synthetic.py']

model = dict(
    backbone=dict(arch=_base_.arch, img_size=(128, 96)), head=dict(in_channels=_base_.embed_dims))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
