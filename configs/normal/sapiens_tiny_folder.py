# Small enough for a CPU: 256 x 192 under a thin head. Normals, on a folder of your own.
_base_ = ['../_base_/sizes/sapiens_tiny.py', './_base_/folder.py']

model = dict(
    data_preprocessor=dict(size=_base_.img_size),
    backbone=dict(arch=_base_.arch, img_size=_base_.img_size, with_cp=False),
    decode_head=dict(
        in_channels=_base_.embed_dims,
        deconv_out_channels=(64, 32, 32),
        conv_out_channels=(32,),
        dropout_ratio=0.0))

loaders = [_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader]
for step in [step for loader in loaders for step in loader.dataset.pipeline if 'size' in step]:
    step.size = _base_.img_size
del loaders, step
# No published encoder to keep: every layer learns at the full rate.
optim_wrapper = dict(optimizer=dict(lr=1e-3), paramwise_cfg=dict(layer_decay_rate=1.0))
