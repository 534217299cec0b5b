# Split parameters, gradients and optimizer state over all GPUs (PyTorch FSDP2). A leaf that takes this as a
# second base also sets runner_type = 'sapiens_train.ShardedRunner'.
sharding = dict(
    blocks=('backbone.layers', 'neck.decoder_blocks'),  # gathered one block at a time; tasks: ('backbone.layers', )
    param_dtype='bfloat16',  # on the wire and in the layers; the stored parameters and gradient sums are fp32
    reshard_after_forward=True)
