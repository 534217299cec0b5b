# What depth and normals have in common: schedule, geometry, loaders. Recipes add the target. Types without a
# prefix are mmsegmentation's or mmengine's.
_base_ = [
    '../../_base_/runtime.py', '../../_base_/dense_regressor.py',
    '../../_base_/schedules/adamw_layer_decay.py'
]
default_scope = 'mmseg'
visualizer = dict(type='sapiens_depth_normal.MapVisualizer')

# ---- what you are likely to change ----
epochs = 200
batch_size = 2  # per process; how many the published models had is not recorded
size = (1024, 768)  # (height, width); leaves of another size set it, with backbone and pipelines

# ---- what the method fixes ----
model = dict(
    data_preprocessor=dict(size=size),
    backbone=dict(type='sapiens_pretrain.SapiensViT', img_size=size, with_cp=True),
    decode_head=dict(type='sapiens_depth_normal.DenseHead', dropout_ratio=0.1))

parts = dict(
    read=dict(type='sapiens_common.LoadPhoto'),  # mmseg.apis exchanges the first step for arrays
    load=dict(type='sapiens_depth_normal.LoadMaps'),
    # Pictures without people. None at hand: train_dataloader.dataset.pipeline.1.prob=0
    background=dict(type='sapiens_common.RandomBackground', prob=0.5, folder='data/backgrounds'),
    warp=dict(
        type='sapiens_depth_normal.RandomWarp',
        size=size,
        scale=(0.2, 2.0),
        rotate_prob=0.0,
        max_angle=60,
        flip_prob=0.5),
    distort=dict(type='sapiens_common.ColourDistortion'),
    resize=dict(type='sapiens_depth_normal.ResizeImage', size=size),
    pack=dict(type='sapiens_depth_normal.PackMaps'))
test_steps = ['read', 'load', 'resize', 'pack']  # targets stay at the original size, where they are judged

# Evaluation on renders of THuman2.0 in three framings, by tools/test.py.
thuman2 = dict(
    type='sapiens_depth_normal.THuman2Renders', data_root='data/thuman2_renders', test_mode=True)

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='sapiens_depth_normal.DenseFolderDataset'))
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='sapiens_depth_normal.DenseFolderDataset', test_mode=True))
test_dataloader = val_dataloader

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=400, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0, begin=0, end=epochs, by_epoch=True)]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = [dict(type='sapiens_depth_normal.DenseVisualizationHook', interval=500)]
