# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Head and losses. Importing this registers them."""

from .losses import HardKeypointMSELoss, PeakedMSELoss
from .pose_head import PoseHead

__all__ = ['HardKeypointMSELoss', 'PeakedMSELoss', 'PoseHead']
