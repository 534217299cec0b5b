# Sapiens-0.3b, alpha and foreground on SynthHuman, at 1024 x 768.
#   bash tools/dist_train.sh configs/matting/sapiens_0.3b_synthhuman_1024x768.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: about 65 GPU hours, computed.
# Expected: not measured.
_base_ = ['sapiens_0.3b_synthhuman.py']
size = (1024, 768)  # (height, width)

model = dict(
    data_preprocessor=dict(size=size),
    backbone=dict(img_size=size))
train_dataloader = dict(batch_size=4)
loaders = [_base_.train_dataloader, _base_.val_dataloader, _base_.test_dataloader]
for step in [step for loader in loaders for step in loader.dataset.pipeline if 'size' in step]:
    step.size = size
train_pipeline = _base_.train_dataloader.dataset.pipeline
test_pipeline = _base_.test_dataloader.dataset.pipeline
del loaders, step
