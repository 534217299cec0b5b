# Alpha and foreground on SynthHuman: Sapiens2's head and losses. Its pictures do not say what colour the foreground
# has under partial alpha: there the colours are not learned.
_base_ = ['../../_base_/synthhuman.py', '../../_base_/matting_losses.py']
parts = dict(_base_.parts, matte=dict(type='sapiens_depth_normal.MattingTarget'))
train_pipeline = [
    parts[name] for name in ('load', 'warp', 'distort', 'matte', 'degrade', 'pack')]
test_pipeline = [parts[name] for name in ('load', 'matte', 'resize', 'pack')]

model = dict(
    decode_head=dict(
        type='sapiens_depth_normal.PixelShuffleHead',
        target='matting',
        upsample_out_channels=(768, 512, 256, 128),
        conv_out_channels=(64, 32, 16),
        loss_decode=_base_.matting_losses))
train_dataloader = dict(dataset=dict(targets=['alpha'], pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(targets=['alpha'], pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='sapiens_depth_normal.AlphaMatteMetric'),
    dict(type='sapiens_depth_normal.MattingForegroundMetric')]
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='matting/whole_sad', rule='less'))
