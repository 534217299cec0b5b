# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Readers of COCO-style annotations. Importing this registers them."""

from .coco import CheckedCocoDataset, CheckedCocoWholeBodyDataset
from .goliath import GoliathDataset
from .name_matched import NameMatchedDataset
from .sam3d_body import Sam3dBodyDataset

__all__ = [
    'CheckedCocoDataset',
    'CheckedCocoWholeBodyDataset',
    'GoliathDataset',
    'NameMatchedDataset',
    'Sam3dBodyDataset',
]
