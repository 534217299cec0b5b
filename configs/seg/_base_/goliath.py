# Published recipe for the 28 body parts: 200 epochs, weighted cross-entropy averaged over all pixels.
_base_ = ['runtime.py', 'model.py', 'goliath_data.py']
model = dict(
    decode_head=dict(
        num_classes=28,
        # average='weights' normalises by the class weights of the labelled pixels instead.
        loss_decode=dict(
            type='sapiens_seg.WeightedCrossEntropy',
            vocabulary=dict(name='goliath'),
            average='pixels')))
