# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Data sets of dense maps: folders of any origin, and public sets as they are downloaded."""

from .bedlam import BedlamDataset
from .folders import DenseFolderDataset
from .matting_list import MattingListDataset
from .p3m import P3MDataset
from .scans import THuman2Renders
from .synthhuman import SynthHumanDataset

__all__ = [
    'BedlamDataset',
    'DenseFolderDataset',
    'MattingListDataset',
    'P3MDataset',
    'SynthHumanDataset',
    'THuman2Renders',
]
