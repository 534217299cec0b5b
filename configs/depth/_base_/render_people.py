# Published recipe for depth (reference 2.4): rgb/ mask/ depth/ of rendered scans, random backgrounds.
# tools/test.py evaluates on THuman2.0 renders in three framings; validation uses held-out scans.
_base_ = ['folder.py']
data_root = 'data/render_people'

_base_.train_pipeline.insert(1, _base_.background)
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='sapiens_depth_normal.THuman2Renders',
        data_root='data/thuman2_renders',
        targets=['depth'],
        test_mode=True,
        pipeline=_base_.test_pipeline))
