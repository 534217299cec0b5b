# The tiny models: input 256 x 192 (h x w), heatmaps 64 x 48, a thin head. Small enough for a CPU.
_base_ = ['topdown_1024x768.py']
codec = dict(input_size=(192, 256), heatmap_size=(48, 64), sigma=2)

model = dict(
    head=dict(deconv_out_channels=(128, 128), conv_out_channels=(128, 128), decoder=codec))

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
for step in (*train_pipeline, *val_pipeline):
    if 'input_size' in step:
        step['input_size'] = codec['input_size']
    if 'codec' in step:
        step['codec'].update(codec)
del step
