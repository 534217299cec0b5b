# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Model parts used by more than one task."""

from .upsample import upsample_layers

__all__ = ['upsample_layers']
