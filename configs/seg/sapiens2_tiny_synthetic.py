# Sapiens2-tiny, 29 body parts on rendered people, at 128 x 96, from scratch: sapiens_tiny_synthetic with the encoder, the
# head, the classes and the losses of the second generation. The renders have no eyeglasses; those of
# sapiens2_tiny_synthetic_glasses.py do.
#   python tools/data/render_humans.py --preset quickstart --count 600 --out data/synthetic
#   bash tools/dist_train.sh configs/seg/sapiens2_tiny_synthetic.py 2 --amp
# Hardware: two CPU cores. Time: 37 minutes in one process of batch 8, on cores shared with others.
# Expected: mIoU 29.4 on the 60 people held out (docs/sapiens2.md).
_base_ = ['sapiens_tiny_synthetic.py']
size = (128, 96)  # (height, width)
vocabulary = dict(name='goliath29')
labels = dict(vocabulary=vocabulary, values='goliath')  # the renders hold ids of the 28 parts
weights = list(_base_.model.decode_head.loss_decode.vocabulary.weights)

model = dict(
    backbone=dict(_delete_=True, type='sapiens_pretrain.Sapiens2ViT', arch='tiny', img_size=size),
    decode_head=dict(
        num_classes=29,
        deconv_out_channels=(96, 64, 48, 32),
        conv_out_channels=(32, 32),
        dropout_ratio=0.0,
        loss_decode=[
            dict(
                type='sapiens_seg.WeightedCrossEntropy',
                vocabulary=dict(vocabulary, weights=[*weights[:2], 1.0, *weights[2:]]),
                average='weights'),
            dict(type='sapiens_seg.BodyPartDice')]))
fit = dict(type='sapiens_common.Stretch', size=size)
test_pipeline = [
    fit if step['type'] == 'Resize' else step for step in _base_.val_dataloader.dataset.pipeline]
train_dataloader = dict(dataset=labels)
val_dataloader = dict(dataset=dict(labels, pipeline=test_pipeline))
test_dataloader = val_dataloader
tta_model = dict(vocabulary=vocabulary)
