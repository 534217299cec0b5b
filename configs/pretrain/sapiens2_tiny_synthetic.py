# sapiens_tiny_synthetic with the encoder of the second generation: same images, steps and objective.
#   python tools/data/render_humans.py --preset quickstart --count 3000 --out data/synthetic
#   bash tools/dist_train.sh configs/pretrain/sapiens2_tiny_synthetic.py 2 --amp
# Hardware: two CPU cores. Time: not measured.
# Expected: not measured.
_base_ = ['sapiens_tiny_synthetic.py']

model = dict(backbone=dict(type='sapiens_pretrain.MaskedSapiens2ViT'))
optim_wrapper = dict(
    paramwise_cfg=dict(
        no_decay=('ln', 'norm', 'bias', 'gamma', 'pos_embed', 'mask_token', 'cls_token', 'storage_tokens')))
