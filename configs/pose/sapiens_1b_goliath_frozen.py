# Sapiens-1b, 308 keypoints, at 1024 x 768: the encoder as it was pretrained; only the head learns.
# Set model.backbone.init_cfg to the file of the encoder.
#   bash tools/dist_train.sh configs/pose/sapiens_1b_goliath_frozen.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: not measured.
# Expected: not measured, and no figure is published.
_base_ = ['sapiens_1b_goliath.py']

model = dict(backbone=dict(frozen_stages=40))  # all blocks
