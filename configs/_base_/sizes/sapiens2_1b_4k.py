# Size card of the 4K encoder: windows of 4 x 4 patches become one token, so its grid is that of 1024 x 768.
_base_ = ['sapiens2_1b.py']

img_size = (4096, 3072)  # (height, width) in pixels
tokenizer_window = 4  # side in patches
