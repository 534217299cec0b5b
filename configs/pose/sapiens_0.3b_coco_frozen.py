# Sapiens-0.3b, 17 keypoints of COCO, at 1024 x 768: the encoder as it was pretrained; only the head learns.
# Set model.backbone.init_cfg to the file of the encoder.
#   bash tools/dist_train.sh configs/pose/sapiens_0.3b_coco_frozen.py 8 --amp
# Hardware: 8 GPUs of 80 GB, untested by us. Time: not measured.
# Expected: not measured, and no figure is published.
_base_ = ['sapiens_0.3b_coco.py']

model = dict(backbone=dict(frozen_stages=24))  # all blocks
