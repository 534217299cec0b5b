# What the baselines share: the data, sizes and epochs of the Sapiens recipe, and upstream's segmentor. Inputs
# and test images are padded to whole strides of 32.
_base_ = ['runtime.py', 'goliath_data.py']

model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size_divisor=32,
        test_cfg=dict(size_divisor=32)),
    decode_head=dict(num_classes=28),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))

# In place of runtime.py's, whose layer decay is for the Sapiens encoder. Recipes set it.
optim_wrapper = dict(_delete_=True, type='sapiens_train.SapiensOptimWrapper')
