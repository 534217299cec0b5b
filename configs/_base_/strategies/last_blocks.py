# Fine-tune the last blocks of the encoder; checkpoints hold that and the head. A leaf takes this as a second base and adds
#   model = dict(backbone=dict(tuning=_base_.tuning, init_cfg=dict(type='Pretrained', checkpoint=BASE)))
# which works for every task and both generations; see docs/finetuning.md.
tuning = dict(method='last_blocks', blocks=2)
