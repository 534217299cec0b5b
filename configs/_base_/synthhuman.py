# What all recipes on SynthHuman have in common; its pictures are 512 x 384. Every hundredth id is held out.
# docs/public_data.md says how to get the set and what to expect.
_base_ = ['runtime.py', 'dense_regressor.py', 'schedules/adamw_layer_decay.py']
default_scope = 'mmseg'
visualizer = dict(type='sapiens_depth_normal.MapVisualizer')
data_root = 'data/synthhuman'
epochs = 10  # of 295,000 pictures when all chunks are there
size = (512, 384)  # (height, width); leaves of another size set it, with encoder and pipelines

model = dict(
    data_preprocessor=dict(size=size),
    # To start from a pretrained encoder:
    # model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
    backbone=dict(type='sapiens_pretrain.SapiensViT', img_size=size, with_cp=True))

parts = dict(
    load=dict(type='sapiens_depth_normal.LoadMaps'),
    warp=dict(
        type='sapiens_depth_normal.RandomWarp',
        size=size,
        scale=(0.5, 2.0),
        rotate_prob=0.3,
        max_angle=30),
    distort=dict(type='sapiens_common.ColourDistortion'),
    degrade=dict(type='sapiens_common.Degrade', blur=0.2, noise=0.2, jpeg=0.3),
    resize=dict(type='sapiens_depth_normal.ResizeImage', size=size),
    pack=dict(type='sapiens_depth_normal.PackMaps'))
test_pipeline = [parts[name] for name in ('load', 'resize', 'pack')]

people = dict(type='sapiens_depth_normal.SynthHumanDataset', data_root=data_root)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(people, split='train'))
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(people, split='val', test_mode=True, pipeline=test_pipeline))
test_dataloader = val_dataloader

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=500, by_epoch=False),
    dict(type='PolyLR', power=1.0, eta_min=0, begin=0, end=epochs, by_epoch=True)]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
custom_hooks = [dict(type='sapiens_depth_normal.DenseVisualizationHook', interval=500)]
