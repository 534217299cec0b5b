# Sapiens2-tiny, 29 body parts on rendered people of whom half wear glasses, at 128 x 96, from scratch.
#   python tools/data/render_humans.py --preset quickstart --count 600 --glasses 0.5 --out data/glasses
#   bash tools/dist_train.sh configs/seg/sapiens2_tiny_synthetic_glasses.py 2 --amp
# Hardware: two CPU cores. Time: not measured.
# Expected: not measured.
_base_ = ['sapiens2_tiny_synthetic.py']
data_root = 'data/glasses'  # --cfg-options data_root=DIR
labels = dict(
    data_root=data_root,
    values='ids',
    data_prefix=dict(img_path='images', seg_map_path='segmentations29'))

train_dataloader = dict(dataset=labels)
val_dataloader = dict(dataset=labels)
test_dataloader = val_dataloader
