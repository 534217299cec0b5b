# The quick start's model: 308 keypoints on rendered people, at 128 x 96, from the encoder of the bundled model.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/pose/sapiens_tiny_synthetic_from_bundled.py 2
# Hardware: two CPU cores. Time: that of sapiens_tiny_synthetic.py, whose steps cost the same.
# Expected: body AP 90.3, foot 93.0, whole 34.1 on the 60 people held out (docs/pose.md).
_base_ = ['sapiens_tiny_synthetic.py']

model = dict(
    backbone=dict(
        type='sapiens_pretrain.ConvStemViT',
        init_cfg=dict(type='Pretrained', checkpoint='sapiens_tiny/multitask_synthetic')),
    head=dict(
        deconv_out_channels=(64, 64),
        conv_out_channels=(64, ),
        loss=dict(
            _delete_=True, type='sapiens_pose.PeakedMSELoss', mse_weight=100.0, first=70)))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
