# Published recipe for normals: rgb/ mask/ normal/ of rendered scans, random backgrounds.
# tools/test.py evaluates on THuman2.0 renders in three framings; validation uses held-out scans.
_base_ = ['folder.py']
data_root = 'data/render_people'
steps = ['load', 'background', 'warp', 'distort', 'pack']
train_pipeline = [_base_.parts[name] for name in steps]

train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(
    dataset=dict(
        _base_.thuman2, _delete_=True, targets=['normal'], pipeline=_base_.test_pipeline))
