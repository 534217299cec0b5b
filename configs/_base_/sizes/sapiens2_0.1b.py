# Size card: the facts of one encoder size that recipes need. tests/configs compares it with SAPIENS2_ZOO.
arch = '0.1b'
embed_dims = 768
img_size = (1024, 768)  # (height, width) in pixels
layer_decay_rate = 0.80  # none is published for this size: as 0.4b
