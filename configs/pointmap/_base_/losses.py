# Sapiens2's seven losses of pointmaps, with the published weights.
pointmap_losses = [
    dict(type='sapiens_depth_normal.PointmapL1Loss', loss_weight=2.0),
    dict(
        type='sapiens_depth_normal.PointmapL1Loss',
        factor=2,
        loss_weight=1.0,
        loss_name='loss_multiscale_l1_2'),
    dict(type='sapiens_depth_normal.PointmapShiftInvariantLoss', loss_weight=1.0),
    dict(type='sapiens_depth_normal.PointmapDepthLoss', loss_weight=1.0),
    dict(type='sapiens_depth_normal.IntrinsicsConsistencyLoss', loss_weight=1.0),
    dict(type='sapiens_depth_normal.PointmapNormalLoss', loss_weight=2.0),
    dict(type='sapiens_depth_normal.PointmapScaleLoss', loss_weight=4.0)]
