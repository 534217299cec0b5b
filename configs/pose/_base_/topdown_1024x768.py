# Model and pipelines of all published pose models: input 1024 x 768 (h x w), heatmaps 256 x 192.
codec = dict(
    type='sapiens_pose.BatchedUDPHeatmap',
    input_size=(768, 1024),  # (width, height), as mmpose writes sizes
    heatmap_size=(192, 256),
    sigma=6)  # the blur before decoding stays 11 taps, made for sigma 2: published scores depend on it

model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    # To start from a pretrained encoder:
    # model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
    backbone=dict(type='sapiens_pretrain.SapiensViT', patch_padding=2),
    head=dict(
        type='sapiens_pose.PoseHead',
        deconv_out_channels=(768, 768),
        conv_out_channels=(768, 768),
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=codec),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=False))

train_pipeline = [
    dict(type='sapiens_pose.LoadPersonImage', defer=True),  # DecodeTopdownAffine decodes the pixels it needs
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal', prob=0.5),
    dict(
        type='RandomHalfBody',
        min_total_keypoints=9,
        min_upper_keypoints=2,
        min_lower_keypoints=3,
        padding=1.5,
        prob=0.3,
        upper_prioritized_prob=0.7),
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.16,
        shift_prob=0.3,
        scale_factor=(0.5, 1.5),
        scale_prob=1.0,
        rotate_factor=80.0,
        rotate_prob=0.6),
    dict(type='sapiens_pose.DecodeTopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='sapiens_pose.RejectFewKeypoints', codec=codec),
    dict(type='sapiens_common.ColourDistortion', channel_swap=True),
    dict(
        type='sapiens_pose.SeededAlbumentation',
        transforms=[
            dict(type='Blur', p=0.1),
            dict(type='MedianBlur', p=0.1),
            # albumentations 1.4 takes a share of the side (0.2 to 0.4) under these names only.
            dict(
                type='CoarseDropout',
                min_holes=1,
                max_holes=1,
                min_height=0.2,
                max_height=0.4,
                min_width=0.2,
                max_width=0.4,
                p=1.0)
        ]),
    dict(type='sapiens_pose.PackKeypoints')]
val_pipeline = [
    dict(type='sapiens_pose.LoadPersonImage'),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='PackPoseInputs')]
