# What the tiny size changes in a recipe beside its input: a thin decoder. Leaves apply it.
thin_head = dict(deconv_out_channels=(96, 64, 32), conv_out_channels=(32, 32, 32))
lengths = ('scale', 'crop_size', 'at_least')  # settings of transforms in pixels: 256 x 192 is a quarter of the recipe's
