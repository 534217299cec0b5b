# Published recipe for CIHP: LIP's with other folders and a polynomial schedule. The classes are LIP's but for one.
_base_ = ['lip.py']
data_root = 'data/cihp'
vocabulary = dict(name='cihp')

model = dict(decode_head=dict(loss_decode=dict(vocabulary=vocabulary)))

train_dataloader = dict(
    dataset=dict(
        vocabulary=vocabulary,
        data_root=f'{data_root}/Training',
        data_prefix=dict(img_path='Images', seg_map_path='Category_ids')))
val_dataloader = dict(
    dataset=dict(
        vocabulary=vocabulary,
        data_root=f'{data_root}/Validation',
        data_prefix=dict(img_path='Images', seg_map_path='Category_ids')))
test_dataloader = val_dataloader
tta_model = dict(vocabulary=vocabulary)

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=400, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0, begin=0, end=400, by_epoch=True)]
