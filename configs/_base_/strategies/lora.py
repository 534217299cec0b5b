# Fine-tune the encoder by changes of low rank (LoRA); checkpoints hold that and the head. A leaf takes this as a second base and adds
#   model = dict(backbone=dict(tuning=_base_.tuning, init_cfg=dict(type='Pretrained', checkpoint=BASE)))
# which works for every task and both generations; see docs/finetuning.md.
tuning = dict(
    method='lora',
    rank=8,
    alpha=16,  # the change counts alpha / rank times
    targets=('attn', 'ffn'),  # or ('attn', ): half of the parameters
    blocks=None)  # all; (-4, -3, -2, -1) is the last four
