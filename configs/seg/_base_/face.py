# 19 face classes on the layout of Microsoft FaceSynthetics: one folder of NNNNNN.png and NNNNNN_seg.png.
# The published recipe validates on nothing; here the last images are held out by val.txt.
_base_ = ['runtime.py', 'model.py', 'data.py']
data_root = 'data/face_synthetics'
vocabulary = dict(name='face')

model = dict(
    decode_head=dict(
        num_classes=19,
        # No class weights: the mean over all pixels, as published.
        loss_decode=dict(
            type='sapiens_seg.WeightedCrossEntropy', vocabulary=vocabulary, average='pixels')))

dataset = dict(
    vocabulary=vocabulary,
    data_root=data_root,
    data_prefix=dict(img_path='.', seg_map_path='.'),
    seg_map_suffix='_seg.png')
train_dataloader = dict(dataset=dict(ann_file='train.txt', **dataset))  # stems, one per line
val_dataloader = dict(dataset=dict(ann_file='val.txt', **dataset))
test_dataloader = val_dataloader
tta_model = dict(vocabulary=vocabulary)
