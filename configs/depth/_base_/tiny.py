# What the tiny size changes in a recipe of depth or normals beside its input: a thin decoder. Leaves apply it.
thin_head = dict(deconv_out_channels=(64, 32, 32), conv_out_channels=(32, ), dropout_ratio=0.0)
