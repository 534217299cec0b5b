# fsdp.py for the encoders of Sapiens2, whose blocks have another name.
_base_ = ['fsdp.py']

sharding = dict(blocks=('backbone.blocks', ))
