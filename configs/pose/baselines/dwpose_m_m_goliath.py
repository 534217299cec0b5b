# DWPose (Yang et al., 2023), its second stage: the head of RTMPose-m learns anew from the whole model of the first stage,
# over that model's features: 60 epochs at the full rate, as MMPose has it.
#   python SITE_PACKAGES/mmpose/.mim/tools/misc/pth_transfer.py CHECKPOINT_OF_THE_FIRST_STAGE teacher.pth
#   bash tools/dist_train.sh configs/pose/baselines/dwpose_m_m_goliath.py 8 \
#       --cfg-options model.teacher_pretrained=teacher.pth
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['dwpose_l_m_goliath.py']

model = dict(
    two_dis=True,
    teacher_cfg='{{ fileDirname }}/rtmpose_m_goliath.py',
    distill_cfg=[dict(methods=[dict(type='KDLoss', name='loss_logit', use_this=True, weight=1.0)])])
train_cfg = dict(max_epochs=60, val_interval=10)
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))
find_unused_parameters = True  # the student's own encoder
