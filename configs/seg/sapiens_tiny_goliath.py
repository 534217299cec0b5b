# Small enough for a CPU: 256 x 192, a quarter of every length in the recipe, under a thin head.
_base_ = ['../_base_/sizes/sapiens_tiny.py', '_base_/goliath.py']

model = dict(
    backbone=dict(arch={{_base_.arch}}, img_size={{_base_.img_size}}),
    decode_head=dict(
        in_channels={{_base_.embed_dims}},
        deconv_out_channels=(96, 64, 32),
        conv_out_channels=(32, 32, 32)))

loaders = [_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader]
for pipeline in [_base_.tta_pipeline, *(loader.dataset.pipeline for loader in loaders)]:
    for step in pipeline:
        for key in step.keys() & {'scale', 'crop_size', 'at_least'}:
            step[key] = tuple(length // 4 for length in step[key])
del loaders, pipeline, step, key
