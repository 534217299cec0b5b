# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Masked pretraining: parts that plug into ``mmpretrain.MAE``. Nothing here imports mmpretrain."""

from .decoder import MAEDecoder
from .encoder import MaskedSapiensViT
from .head import MAEHead
from .hooks import ReconstructionHook, TrainingCurveHook
from .optim import NoDecayOptimWrapperConstructor
from .sapiens2 import MaskedSapiens2ViT

__all__ = [
    'MAEDecoder',
    'MAEHead',
    'MaskedSapiens2ViT',
    'MaskedSapiensViT',
    'NoDecayOptimWrapperConstructor',
    'ReconstructionHook',
    'TrainingCurveHook',
]
