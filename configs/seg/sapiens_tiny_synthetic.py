# The tiny model on rendered humans (28 classes, 256 x 192), from scratch on a CPU:
#   python tools/data/render_humans.py --out data/synthetic --count 480 --size 256 192
#   bash tools/dist_train.sh configs/seg/sapiens_tiny_synthetic.py 2 --amp
_base_ = ['sapiens_tiny_goliath.py']
data_root = 'data/synthetic'

# Small parts are learnt sooner than with the published average.
model = dict(decode_head=dict(loss_decode=dict(average='weights')))

# The renders have random backgrounds already.
train_pipeline = [
    dict(type='sapiens_common.LoadImage'),
    dict(type='sapiens_seg.LoadLabels'),
    dict(type='RandomResize', scale=(192, 256), ratio_range=(0.8, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(256, 192), cat_max_ratio=0.95),
    dict(type='Resize', scale=(192, 256), keep_ratio=False),
    dict(type='sapiens_seg.SwapFlip', prob=0.5),
    dict(type='sapiens_common.PhotometricDistortion'),
    dict(type='PackSegInputs')]
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    dataset=dict(data_root=data_root, ann_file='train.txt', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8, num_workers=1, dataset=dict(data_root=data_root, ann_file='val.txt'))
test_dataloader = val_dataloader

optim_wrapper = dict(
    optimizer=dict(lr=1e-3, weight_decay=0.05), paramwise_cfg=dict(layer_decay_rate=1.0))
train_cfg = dict(max_epochs=20, val_interval=10)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, begin=0, end=30, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        T_max=20,
        eta_min=1e-5,
        begin=0,
        end=20,
        by_epoch=True,
        convert_to_iter_based=True)]
