# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Readers of COCO-style annotations. Importing this registers them."""

from .coco import CocoDataset, CocoWholeBodyDataset
from .combined import CombinedDataset
from .goliath import GoliathDataset

__all__ = ['CocoDataset', 'CocoWholeBodyDataset', 'CombinedDataset', 'GoliathDataset']
