# What the published sizes change in the multitask recipe: the whole input, the published decoders of each
# task, layer decay, and longer training. Start from a pretrained encoder:
#   --cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
_base_ = ['multitask.py']

max_iters = 40000
warmup = 500
size = (1024, 768)  # (height, width) of the input
model = dict(
    data_preprocessor=dict(size=size),
    backbone=dict(img_size=size, with_cp=True),
    tasks=dict(
        pose=dict(
            head=dict(
                deconv_out_channels=(768, 768),
                conv_out_channels=(768, 768),
                loss=dict(
                    _delete_=True,
                    type='mmpose.KeypointMSELoss',
                    use_target_weight=True,
                    loss_weight=100.0),
                decoder=dict(input_size=(768, 1024), heatmap_size=(192, 256), sigma=6))),
        seg=dict(
            decode_head=dict(
                deconv_out_channels=(768, 768, 768), conv_out_channels=(768, 768, 768))),
        depth=dict(
            decode_head=dict(
                deconv_out_channels=(384, 384, 384, 384), conv_out_channels=(384, 384))),
        normal=dict(
            decode_head=dict(
                deconv_out_channels=(768, 768, 768), conv_out_channels=(768, 768, 768))),
        matting=dict(
            decode_head=dict(
                upsample_out_channels=(768, 512, 256, 128), conv_out_channels=(64, 32, 16)))))

window = dict(_base_.window, size=size)
train_pipeline = [
    _base_.load, window, _base_.weigh, dict(type='sapiens_depth_normal.NormalizeDepth'),
    _base_.colours, _base_.matte, _base_.pack
]
test_pipeline = [
    _base_.load,
    dict(type='sapiens_multitask.CropPerson', size=size),
    dict(type='sapiens_depth_normal.ResizeImage', size=size, antialias=True),
    _base_.pack]
train_dataloader = dict(batch_size=2, num_workers=4, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=2, num_workers=4, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

optim_wrapper = dict(
    constructor='sapiens_train.LayerwiseDecayConstructor',
    optimizer=dict(lr=5e-4, weight_decay=0.1),
    paramwise_cfg=dict(_delete_=True))
param_scheduler = [
    dict(type='LinearLR', begin=0, end=warmup, start_factor=1e-3, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0, begin=0, end=max_iters, by_epoch=False)]
train_cfg = dict(max_iters=max_iters, val_interval=5000)
default_hooks = dict(checkpoint=dict(interval=5000))
