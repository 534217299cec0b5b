# What the baselines on rendered people share: data, augmentations and schedule of the tiny recipe, and upstream's segmentor.
# Inputs are padded to whole strides of 32. Leaves give encoder, heads and optimizer; nothing is pretrained.
_base_ = ['../sapiens_tiny_synthetic.py']

loss = _base_.model.decode_head.loss_decode
model = dict(
    _delete_=True,
    type='EncoderDecoder',
    data_preprocessor=dict(
        _base_.model.data_preprocessor, size_divisor=32, test_cfg=dict(size_divisor=32)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
optim_wrapper = dict(_delete_=True, type='sapiens_train.SapiensOptimWrapper')
