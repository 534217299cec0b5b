# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Losses of albedo beside those on its values: colour without brightness, and brightness without detail."""

import torch.nn.functional as F
from torch import Tensor

from sapiens_depth_normal.registry import MODELS

from .losses import MaskedLoss, mean_over

EPS = 1e-6


@MODELS.register_module()
class ChromaticityLoss(MaskedLoss):
    """Absolute error of each channel's share of red + green + blue, summed over the channels.

    Predictions are limited to 0..1 first; black has the shares 0.

    Args:
        loss_weight: Factor of the value.
        loss_name: Log key.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_chroma_l1') -> None:
        super().__init__(loss_weight, loss_name)

    def compute(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Loss of colours (B, 3, H, W)."""
        shares = [
            colors / (colors.sum(1, keepdim=True) + EPS) for colors in (pred.clamp(0, 1), target)
        ]
        return mean_over((shares[0] - shares[1]).abs().sum(1), mask[:, 0])


@MODELS.register_module()
class LowFrequencyLoss(MaskedLoss):
    """Absolute error of what is left when both maps are blurred within the mask.

    Args:
        downsample: Factor by which maps are averaged before they are enlarged again.
        loss_weight: Factor of the value.
        loss_name: Log key.
    """

    def __init__(
        self, downsample: int = 32, loss_weight: float = 1.0, loss_name: str = 'loss_low_l1'
    ) -> None:
        super().__init__(loss_weight, loss_name)
        self.downsample = downsample

    def compute(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Loss of maps (B, C, H, W)."""
        weight = mask.float()
        share = self._blur(weight) + EPS
        difference = (self._blur(pred * weight) - self._blur(target * weight)) / share
        return mean_over(difference.abs().sum(1), mask[:, 0])

    def _blur(self, maps: Tensor) -> Tensor:
        small = F.interpolate(maps, scale_factor=1 / self.downsample, mode='area')
        return F.interpolate(small, maps.shape[2:], mode='bilinear', align_corners=False)
