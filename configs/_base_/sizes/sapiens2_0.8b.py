# Size card: the facts of one encoder size that recipes need. tests/configs compares it with SAPIENS2_ZOO.
arch = '0.8b'
embed_dims = 1280
img_size = (1024, 768)  # (height, width) in pixels
