# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Readers of image, mask, depth and normal folders."""

from .folders import DenseFolderDataset
from .scans import Hi4DRenders, THuman2Renders

__all__ = ['DenseFolderDataset', 'Hi4DRenders', 'THuman2Renders']
