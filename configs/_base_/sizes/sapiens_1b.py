# Size card: the facts of one encoder size that recipes need. tests/configs compares it with ARCH_ZOO.
arch = '1b'
embed_dims = 1536
img_size = (1024, 768)  # (height, width) in pixels
layer_decay_rate = 0.85  # fine-tuning: learning rate from a layer to the one before it
