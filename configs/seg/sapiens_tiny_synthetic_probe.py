# Is a pretrained encoder any good? A linear layer learns 28 body parts from its frozen features, at 128 x 96.
#   bash tools/dist_train.sh configs/seg/sapiens_tiny_synthetic_probe.py 2 --cfg-options data_root=data/others \
#       model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=ENCODER
# Without the last line the encoder is random: the score to beat. model.backbone.frozen_stages=-1 trains all of it.
# Hardware: two CPU cores. Time: not measured.
# Expected: not measured, and no figure is published.
_base_ = ['sapiens_tiny_synthetic.py']

model = dict(
    backbone=dict(frozen_stages=6),  # all blocks
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=_base_.embed_dims,
        channels=_base_.embed_dims,
        in_index=0,
        num_convs=0,  # nothing but the 1 x 1 convolution to the classes
        concat_input=False,
        dropout_ratio=0,
        norm_cfg=None,
        act_cfg=None,
        num_classes=_base_.model.decode_head.num_classes,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)))

optim_wrapper = dict(
    optimizer=dict(lr=1e-2),
    constructor='sapiens_train.LayerwiseDecayConstructor',  # leaves frozen parameters out
    paramwise_cfg=dict(_delete_=True, layer_decay_rate=1.0))
