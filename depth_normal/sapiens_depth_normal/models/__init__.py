# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The dense-regression estimator, its head and its losses."""

from .dense_head import DenseHead
from .losses import CosineLoss, GradientMatchingLoss, MaskedSiLogLoss, PixelL1Loss
from .regressor import DenseRegressor

__all__ = [
    'CosineLoss',
    'DenseHead',
    'DenseRegressor',
    'GradientMatchingLoss',
    'MaskedSiLogLoss',
    'PixelL1Loss',
]
