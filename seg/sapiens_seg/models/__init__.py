# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Head, segmentor and losses. Importing this registers them."""

from .dice import BodyPartDice
from .labels import labels_at_size
from .losses import WeightedCrossEntropy
from .seg_head import SapiensSegHead
from .segmentor import BodyPartSegmentor
from .tta import BodyPartTTAModel

__all__ = [
    'BodyPartDice',
    'BodyPartSegmentor',
    'BodyPartTTAModel',
    'SapiensSegHead',
    'WeightedCrossEntropy',
    'labels_at_size',
]
