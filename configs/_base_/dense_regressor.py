# Model of all per-pixel regression: depth, normals, pointmaps, albedo, mattes. Recipes add the size, encoder and head.
model = dict(
    type='sapiens_depth_normal.DenseRegressor',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True))
