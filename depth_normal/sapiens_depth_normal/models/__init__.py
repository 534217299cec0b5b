# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The dense-regression estimator, its heads and its losses. Importing this registers them."""

from .albedo_losses import ChromaticityLoss, LowFrequencyLoss
from .borrowed_head import BorrowedHead
from .dense_head import DenseHead
from .losses import CosineLoss, GradientMatchingLoss, MaskedSiLogLoss, PixelL1Loss
from .matting_losses import MattingGradientLoss, MattingL1Loss, MattingLaplacianLoss
from .pixel_shuffle_head import PixelShuffleHead
from .pointmap_head import PointmapHead
from .pointmap_losses import (
    IntrinsicsConsistencyLoss,
    PointmapDepthLoss,
    PointmapL1Loss,
    PointmapNormalLoss,
    PointmapScaleLoss,
    PointmapShiftInvariantLoss,
)
from .points import Pointmaps
from .regressor import DenseRegressor

__all__ = [
    'BorrowedHead',
    'ChromaticityLoss',
    'CosineLoss',
    'DenseHead',
    'DenseRegressor',
    'GradientMatchingLoss',
    'IntrinsicsConsistencyLoss',
    'LowFrequencyLoss',
    'MaskedSiLogLoss',
    'MattingGradientLoss',
    'MattingL1Loss',
    'MattingLaplacianLoss',
    'PixelL1Loss',
    'PixelShuffleHead',
    'PointmapDepthLoss',
    'PointmapHead',
    'PointmapL1Loss',
    'PointmapNormalLoss',
    'PointmapScaleLoss',
    'PointmapShiftInvariantLoss',
    'Pointmaps',
]
