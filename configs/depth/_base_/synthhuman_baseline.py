# What the baselines on SynthHuman share: its recipe, behind a head of mmseg. Leaves give encoder, head and layer decay.
_base_ = ['synthhuman.py']

model = dict(
    decode_head=dict(
        _delete_=True,
        type='sapiens_depth_normal.BorrowedHead',
        target='depth',
        # In the middle of the range, where the logarithm clamps nothing.
        head=dict(init_cfg=dict(type='Normal', std=0.01, bias=0.5, override=dict(name='conv_seg'))),
        loss_decode=_base_.model.decode_head.loss_decode))
