# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Model parts used by more than one task."""

from .pixel_shuffle import pixel_shuffle_layers
from .upsample import upsample_layers

__all__ = ['pixel_shuffle_layers', 'upsample_layers']
