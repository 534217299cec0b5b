# Sapiens2-tiny, 308 keypoints on rendered people, at 128 x 96, from scratch: sapiens_tiny_synthetic with the encoder and
# the head of the second generation.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/pose/sapiens2_tiny_synthetic.py 2 --amp
# Hardware: two CPU cores. Time: twelve minutes on one busy core.
# Expected: body AP 43.1, foot 36.6, face 1.7 on the 60 people held out (docs/sapiens2.md).
_base_ = ['../_base_/sizes/sapiens2_tiny.py', '_base_/synthetic.py']

model = dict(
    backbone=dict(
        _delete_=True, type='sapiens_pretrain.Sapiens2ViT', arch=_base_.arch, img_size=(128, 96)),
    head=dict(in_channels=_base_.embed_dims, conv_out_channels=(128, 128, 64)))
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=_base_.layer_decay_rate))
