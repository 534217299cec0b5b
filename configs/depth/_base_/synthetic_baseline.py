# What the baselines on rendered people share: data, loss and schedule of the tiny recipe, behind a head of mmseg. Leaves give
# encoder and head; nothing is pretrained.
_base_ = ['../sapiens_tiny_synthetic.py']

model = dict(
    decode_head=dict(
        _delete_=True,
        type='sapiens_depth_normal.BorrowedHead',
        target='depth',
        # In the middle of the range, where the logarithm clamps nothing.
        head=dict(init_cfg=dict(type='Normal', std=0.01, bias=0.5, override=dict(name='conv_seg'))),
        loss_decode=_base_.model.decode_head.loss_decode))
optim_wrapper = dict(optimizer=dict(lr=5e-4), paramwise_cfg=dict(_delete_=True))
