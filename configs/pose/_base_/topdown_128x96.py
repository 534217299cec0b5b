# The quick start's model: input 128 x 96 (h x w), of which a CPU sees enough samples in minutes.
_base_ = ['topdown_256x192.py']
codec = dict(input_size=(96, 128), heatmap_size=(24, 32), sigma=2)

model = dict(head=dict(decoder=codec))
train_pipeline = [
    dict(type='sapiens_pose.LoadPersonImage', defer=True),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='RandomFlip', direction='horizontal', prob=0.5),
    # Rendered people stand upright, in training and validation: mild changes suffice.
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.05,
        shift_prob=0.5,
        scale_factor=(0.9, 1.15),
        rotate_factor=20.0,
        rotate_prob=0.3),
    dict(type='sapiens_pose.DecodeTopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='sapiens_common.ColourDistortion', channel_swap=True),
    dict(type='sapiens_pose.PackKeypoints')]
val_pipeline = [
    dict(type='sapiens_pose.LoadPersonImage', defer=True),
    dict(type='GetBBoxCenterScale', padding=1.25),
    dict(type='sapiens_pose.DecodeTopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='PackPoseInputs')]
