# Size card: the facts of one encoder size that recipes need. tests/configs compares it with SAPIENS2_ZOO.
arch = '0.8b'
embed_dims = 1280
img_size = (1024, 768)  # (height, width) in pixels
layer_decay_rate = 0.85  # fine-tuning: learning rate from a layer to the one before it
