# DWPose (Yang et al., 2023), its first stage: RTMPose-m learns from a trained RTMPose-l, 308 keypoints.
#   bash tools/dist_train.sh configs/pose/baselines/dwpose_l_m_goliath.py 8 \
#       --cfg-options model.teacher_pretrained=CHECKPOINT_OF_RTMPOSE_L
# Hardware: 8 GPUs, untested by us. Time: not measured.
# Expected: not measured.
_base_ = ['rtmpose_m_goliath.py']

model = dict(
    _delete_=True,
    type='DWPoseDistiller',
    teacher_pretrained=None,
    teacher_cfg='{{ fileDirname }}/rtmpose_l_goliath.py',
    student_cfg='{{ fileDirname }}/rtmpose_m_goliath.py',
    distill_cfg=[
        dict(
            methods=[
                dict(
                    type='FeaLoss',
                    name='loss_fea',
                    use_this=True,
                    student_channels=768,
                    teacher_channels=1024,
                    alpha_fea=7e-5)
            ]),
        dict(methods=[dict(type='KDLoss', name='loss_logit', use_this=True, weight=0.1)])],
    data_preprocessor=_base_.model.data_preprocessor)
