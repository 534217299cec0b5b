# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Losses of mattes: each is taken of alpha and, under another name, of the foreground colours.

Predictions and targets are (B, 4, H, W): red, green, blue multiplied by alpha, then alpha; all 0..1. Alpha is known
everywhere, the foreground's colour where alpha is 0 or 1. The mask, of other tasks, is not read.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sapiens_depth_normal.registry import MODELS

from .losses import MaskedLoss, mean_over

PARTS = ('alpha', 'foreground')


class MattingLoss(MaskedLoss):
    """Base: picks the channels and the pixels.

    Args:
        part: ``alpha`` or ``foreground``.
        loss_weight: Factor of the value.
        loss_name: Log key; None is the class's own with ``_pha`` or ``_fgr``.

    Raises:
        ValueError: Unknown part.
    """

    stem: str

    def __init__(
        self, part: str = 'alpha', loss_weight: float = 1.0, loss_name: str | None = None
    ) -> None:
        if part not in PARTS:
            raise ValueError(f'part {part!r} is not one of {PARTS}')
        suffix = 'pha' if part == 'alpha' else 'fgr'
        super().__init__(loss_weight, loss_name or f'{self.stem}_{suffix}')
        self.part = part

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Weighted loss of mattes (B, 4, H, W)."""
        alpha = target[:, 3:]
        if self.part == 'alpha':
            return super().forward(pred[:, 3:], alpha, torch.ones_like(mask))
        return super().forward(pred[:, :3], target[:, :3], (alpha == 0) | (alpha == 1))


@MODELS.register_module()
class MattingL1Loss(MattingLoss):
    """Absolute error, averaged over pixels and channels."""

    stem = 'loss_l1'

    def compute(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Loss of maps (B, C, H, W)."""
        return mean_over((pred - target).abs().mean(1), mask[:, 0])


@MODELS.register_module()
class MattingGradientLoss(MattingLoss):
    """Absolute error of the magnitudes of Sobel gradients, averaged over pixels and channels."""

    stem = 'loss_grad'

    def compute(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Loss of maps (B, C, H, W)."""
        # What is predicted off the mask must not show in the gradients of its neighbours.
        pred = torch.where(mask, pred, target)
        return mean_over((_sobel(pred) - _sobel(target)).abs().mean(1), mask[:, 0])


@MODELS.register_module()
class MattingLaplacianLoss(MattingLoss):
    """Absolute error of the levels of a Laplacian pyramid; level i counts 2**i, and the sum is divided by
    the number of levels (Hou and Liu, "Context-Aware Image Matting", ICCV 2019, equation 3).

    Args:
        levels: Levels of the pyramid.
        **kwargs: As :class:`MattingLoss`.
    """

    stem = 'loss_laplacian'

    def __init__(self, levels: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.levels = levels

    def compute(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Loss of maps (B, C, H, W)."""
        rest = torch.where(mask, pred - target, 0.0)  # the pyramid is linear
        total = rest.new_zeros(())
        for level in range(self.levels):
            small = _blur(rest)[..., ::2, ::2]
            enlarged = F.interpolate(small, rest.shape[2:], mode='bilinear', align_corners=False)
            total = total + 2**level * (rest - enlarged).abs().mean()
            rest = small
        return total / self.levels


def _sobel(maps: Tensor) -> Tensor:
    """Magnitudes of gradients of maps (B, C, H, W)."""
    smooth, slope = maps.new_tensor([1, 2, 1]) / 4, maps.new_tensor([-1, 0, 1]) / 2
    dx = _separable(maps, slope, smooth)
    dy = _separable(maps, smooth, slope)
    # The root's slope at zero is infinite: the limit keeps the gradient finite there.
    return (dx.square() + dy.square()).clamp(min=1e-12).sqrt()


def _blur(maps: Tensor) -> Tensor:
    """Maps (B, C, H, W) under the 5 x 5 binomial filter."""
    taps = maps.new_tensor([1, 4, 6, 4, 1]) / 16
    return _separable(maps, taps, taps)


def _separable(maps: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Correlate maps with taps along rows, then along columns; borders are repeated."""
    reach = len(across) // 2
    planes = F.pad(maps.flatten(0, 1)[:, None], (reach,) * 4, mode='replicate')
    planes = F.conv2d(F.conv2d(planes, across.view(1, 1, 1, -1)), down.view(1, 1, -1, 1))
    return planes.view(maps.shape)
