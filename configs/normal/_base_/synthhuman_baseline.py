# What the baselines on SynthHuman share: its recipe, behind a head of mmseg. Leaves give encoder, head and layer decay.
_base_ = ['synthhuman.py']

model = dict(
    decode_head=dict(
        _delete_=True,
        type='sapiens_depth_normal.BorrowedHead',
        target='normal',
        loss_decode=_base_.model.decode_head.loss_decode))
