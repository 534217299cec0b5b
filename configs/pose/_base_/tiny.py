# What the tiny size changes in a recipe: input 256 x 192 (h x w), heatmaps 64 x 48, a thin head. Leaves apply it.
small_codec = dict(
    type='sapiens_pose.BatchedUDPHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2)
thin_head = dict(deconv_out_channels=(128, 128), conv_out_channels=(128, 128), decoder=small_codec)
small = {  # type of a transform: its settings
    'sapiens_pose.DecodeTopdownAffine': dict(input_size=(192, 256)),
    'TopdownAffine': dict(input_size=(192, 256)),
    'sapiens_pose.RejectFewKeypoints': dict(codec=small_codec)}
