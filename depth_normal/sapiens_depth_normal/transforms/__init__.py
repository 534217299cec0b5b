# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From file paths to network inputs and targets. Importing this registers the transforms."""

from .loading import LoadMaps
from .packing import NormalizeDepth, PackMaps
from .warp import RandomWarp, ResizeImage

__all__ = ['LoadMaps', 'NormalizeDepth', 'PackMaps', 'RandomWarp', 'ResizeImage']
