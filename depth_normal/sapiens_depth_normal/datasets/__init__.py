# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Readers of image, mask, depth and normal folders."""

from .folders import DenseFolderDataset
from .p3m import P3MDataset
from .scans import Hi4DRenders, THuman2Renders
from .synthhuman import SynthHumanDataset

__all__ = [
    'DenseFolderDataset',
    'Hi4DRenders',
    'P3MDataset',
    'SynthHumanDataset',
    'THuman2Renders',
]
