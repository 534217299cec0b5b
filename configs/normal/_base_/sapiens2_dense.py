# What normals, albedo and pointmaps of Sapiens2 have in common: model, geometry, loaders. Recipes add the target, leaves
# the size. Types without a prefix are mmsegmentation's or mmengine's.
_base_ = ['../../_base_/dense_regressor.py', '../../_base_/schedules/sapiens2.py']
default_scope = 'mmseg'
visualizer = dict(type='sapiens_depth_normal.MapVisualizer')
size = (1024, 768)  # (height, width)

model = dict(
    data_preprocessor=dict(size=size),
    # To start from a pretrained encoder:
    # model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
    backbone=dict(type='sapiens_pretrain.Sapiens2ViT', img_size=size, with_cp=True),
    decode_head=dict(type='sapiens_depth_normal.PixelShuffleHead'))

parts = dict(
    load=dict(type='sapiens_depth_normal.LoadMaps'),
    distort=dict(type='sapiens_common.ColourDistortion'),
    coarsen=dict(type='sapiens_common.Degrade', resolution=0.2),
    scale=dict(type='sapiens_depth_normal.ScaleMaps', factors=(0.5, 2.0), prob=0.3),
    crop=dict(type='sapiens_depth_normal.CropMaps', aspect=(0.5, 2.0), area=(0.4, 1.0), prob=0.3),
    flip=dict(type='sapiens_depth_normal.MirrorMaps', prob=0.3),
    fit=dict(type='sapiens_depth_normal.FitImage', size=size, targets=True, rounding='nearest'),
    degrade=dict(type='sapiens_common.Degrade', blur=0.3, noise=0.3, solarize=0.3),
    reject=dict(type='sapiens_depth_normal.RejectMaps'),
    # Targets stay at the original size, where they are judged.
    fit_image=dict(type='sapiens_depth_normal.FitImage', size=size),
    pack=dict(type='sapiens_depth_normal.PackMaps'))
test_pipeline = [parts[name] for name in ('load', 'fit_image', 'pack')]

data_root = 'data/render_people'  # --cfg-options moves it: train_dataloader.dataset.data_root=DIR
train_dataloader = dict(
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='sapiens_depth_normal.DenseFolderDataset', data_root=data_root, ann_file='train.txt'))
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sapiens_depth_normal.DenseFolderDataset',
        data_root=data_root,
        ann_file='val.txt',
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader
custom_hooks = [dict(type='sapiens_depth_normal.DenseVisualizationHook', interval=500)]
