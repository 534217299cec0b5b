# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reader and transforms of label images. Importing this registers them."""

from .body_part_dataset import BodyPartDataset
from .transforms import LoadLabels, RejectBackground, SwapFlip

__all__ = ['BodyPartDataset', 'LoadLabels', 'RejectBackground', 'SwapFlip']
