# Person against background, trained on the body-part labels: every part is foreground.
# For plain masks (0 and 255) set values='mask' in the data sets.
_base_ = ['runtime.py', 'model.py', 'goliath_data.py']
vocabulary = dict(name='foreground')
values = 'any_part'

model = dict(
    decode_head=dict(
        num_classes=2,
        loss_decode=dict(type='sapiens_seg.WeightedCrossEntropy', vocabulary=vocabulary)))

train_dataloader = dict(dataset=dict(vocabulary=vocabulary, values=values))
val_dataloader = dict(dataset=dict(vocabulary=vocabulary, values=values))
test_dataloader = val_dataloader
tta_model = dict(vocabulary=vocabulary)
