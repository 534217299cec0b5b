# The encoder as it was pretrained; only the head learns. Set model.backbone.init_cfg to the encoder's file.
_base_ = ['sapiens_0.3b_coco.py']
model = dict(backbone=dict(frozen_stages=24))  # all blocks
