# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Transforms used by more than one task. Importing this registers them."""

from .degrade import Degrade
from .load_photo import LoadPhoto
from .photometric import ColourDistortion
from .random_background import RandomBackground
from .stretch import Stretch

__all__ = ['ColourDistortion', 'Degrade', 'LoadPhoto', 'RandomBackground', 'Stretch']
