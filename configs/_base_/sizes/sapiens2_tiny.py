# Size card: the facts of one encoder size that recipes need. tests/configs compares it with SAPIENS2_ZOO.
arch = 'tiny'
embed_dims = 192
img_size = (256, 192)  # (height, width) in pixels
layer_decay_rate = 1.0  # no published encoder to keep: every layer learns at the full rate
