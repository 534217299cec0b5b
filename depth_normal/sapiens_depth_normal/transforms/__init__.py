# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From file paths to network inputs and targets. Importing this registers the transforms."""

from .fit import CropMaps, FitImage, MirrorMaps, RejectMaps, ScaleMaps
from .loading import LoadMaps
from .matting import CompositeCutout, CropToAlpha, LoadCutout, MattingTarget
from .packing import NormalizeDepth, PackMaps
from .warp import RandomWarp, ResizeImage

__all__ = [
    'CompositeCutout',
    'CropMaps',
    'CropToAlpha',
    'FitImage',
    'LoadCutout',
    'LoadMaps',
    'MattingTarget',
    'MirrorMaps',
    'NormalizeDepth',
    'PackMaps',
    'RandomWarp',
    'RejectMaps',
    'ResizeImage',
    'ScaleMaps',
]
