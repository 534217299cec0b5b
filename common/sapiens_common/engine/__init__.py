# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Runner, loops, optimizer construction and distributed set-up shared by all tasks."""

from .hooks import SafeCheckpointHook
from .layer_decay import LayerwiseDecayConstructor
from .loops import ResumableEpochLoop, ResumableIterLoop
from .optim import SapiensOptimWrapper
from .runner import SapiensRunner
from .sharded import ShardedRunner

__all__ = [
    'LayerwiseDecayConstructor',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'SafeCheckpointHook',
    'SapiensOptimWrapper',
    'SapiensRunner',
    'ShardedRunner',
]
