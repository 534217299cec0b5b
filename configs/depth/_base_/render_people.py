# Published recipe for depth: rgb/ mask/ depth/ of rendered scans, random backgrounds.
# tools/test.py evaluates on THuman2.0 renders in three framings; validation uses held-out scans.
_base_ = ['folder.py']
data_root = 'data/render_people'
steps = ['load', 'background', 'warp', 'normalize', 'distort', 'pack']
train_pipeline = [_base_.parts[name] for name in steps]

train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(
    dataset=dict(
        _base_.thuman2, _delete_=True, targets=['depth'], pipeline=_base_.test_pipeline))
