# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Losses of depth, normals and other maps on masked pixels.

All take ``pred`` and ``target`` (B, C, H, W) and ``mask`` (B, 1, H, W) bool, compute in float32, and
return a scalar. Where the mask is empty they are zero with zero gradient, and the gradient is finite
everywhere. What ``target`` holds outside the mask does not matter; it may be NaN.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from sapiens_depth_normal.registry import MODELS


class MaskedLoss(nn.Module, ABC):
    """Base of the losses: a weight and the name under which the value is logged.

    Args:
        loss_weight: Factor of the value.
        loss_name: Log key; it must start with ``loss_`` to take part in the backward pass.
    """

    def __init__(self, loss_weight: float, loss_name: str) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Weighted loss of predictions (B, C, H, W) against targets on the mask (B, 1, H, W)."""
        target = torch.where(mask, target.float(), 0.0)
        return self.loss_weight * self.compute(pred.float(), target, mask)

    @abstractmethod
    def compute(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Unweighted loss; ``target`` is finite and zero outside the mask."""


def mean_over(values: Tensor, mask: Tensor, dim: int | tuple[int, ...] | None = None) -> Tensor:
    """Mean of ``values`` where ``mask`` holds; 0 where it holds nowhere."""
    total = torch.where(mask, values, 0.0).sum(dim)
    return total / mask.sum(dim).clamp(min=1)


@MODELS.register_module()
class MaskedSiLogLoss(MaskedLoss):
    """Scale-invariant log error (Eigen et al., NIPS 2014, equation 4, with its square root).

    Per image ``sqrt(mean(d**2) - lambda * mean(d)**2)`` with ``d = log(target) - log(pred)``, then the
    mean over the batch. Pixels whose target is not above ``eps`` (the nearest ones after
    normalisation) have no logarithm and drop out; predictions below ``eps`` count as ``eps``.
    Unlike that of mmseg's ``SiLogLoss`` the gradient is zero, not infinite, for a perfect prediction.

    Args:
        variance_focus: The lambda of the formula; 1 ignores the scale of the prediction entirely.
        eps: Smallest depth that is told apart from zero.
        loss_weight: Factor of the value.
        loss_name: Log key.
    """

    def __init__(
        self,
        variance_focus: float = 0.5,
        eps: float = 1e-6,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_silog',
    ) -> None:
        super().__init__(loss_weight, loss_name)
        self.variance_focus = variance_focus
        self.eps = eps

    def compute(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Loss of depths (B, 1, H, W)."""
        mask = (mask & (target > self.eps)).flatten(1)
        difference = _log_difference(pred, target, self.eps).flatten(1)
        square = mean_over(difference.square(), mask, 1)
        squared_mean = mean_over(difference, mask, 1).square()
        spread = square - self.variance_focus * squared_mean  # (B,)
        # The square root has an infinite slope at zero: keep such images out of it altogether.
        positive = spread > 0
        return torch.where(positive, torch.where(positive, spread, 1.0).sqrt(), 0.0).mean()


@MODELS.register_module()
class CosineLoss(MaskedLoss):
    """One minus the cosine between predicted and true directions, averaged over the pixels.

    Args:
        loss_weight: Factor of the value.
        loss_name: Log key.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_cosine_sim') -> None:
        super().__init__(loss_weight, loss_name)

    def compute(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Loss of vectors (B, 3, H, W) of any length."""
        lengths = [v.square().sum(1).clamp(min=1e-12).sqrt() for v in (pred, target)]
        cosine = (pred * target).sum(1) / (lengths[0] * lengths[1])
        return mean_over(1 - cosine, mask[:, 0])


@MODELS.register_module()
class PixelL1Loss(MaskedLoss):
    """Absolute error summed over the channels and averaged over the pixels.

    The prediction is taken as the head gives it, not normalised: this term teaches its length.

    Args:
        loss_weight: Factor of the value.
        loss_name: Log key.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_l1') -> None:
        super().__init__(loss_weight, loss_name)

    def compute(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Loss of maps (B, C, H, W)."""
        return mean_over((pred - target).abs().sum(1), mask[:, 0])


@MODELS.register_module()
class GradientMatchingLoss(MaskedLoss):
    """Difference of spatial gradients at several scales: sharp edges at the right places.

    Source: Li and Snavely, "MegaDepth", CVPR 2018, equation 5. Sapiens's recipes do not use it; Sapiens2's
    do with one scale and values, normals squared.

    Args:
        scales: Number of scales; each takes every second pixel of the one before.
        log: Whether to compare logarithms (depth, where scale does not count) or values (normals).
        square: Whether differences are squared instead of taken without their sign.
        eps: Smallest depth that is told apart from zero; used with ``log`` only.
        loss_weight: Factor of the value.
        loss_name: Log key.
    """

    def __init__(
        self,
        scales: int = 4,
        log: bool = True,
        square: bool = False,
        eps: float = 1e-6,
        loss_weight: float = 0.5,
        loss_name: str = 'loss_gradient',
    ) -> None:
        super().__init__(loss_weight, loss_name)
        self.scales = scales
        self.log = log
        self.square = square
        self.eps = eps

    def compute(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Loss of maps (B, C, H, W)."""
        difference = pred - target
        if self.log:
            mask = mask & (target > self.eps)
            difference = _log_difference(pred, target, self.eps)
        total = difference.new_zeros(())
        for scale in range(self.scales):
            step = 2**scale
            residual, valid = difference[..., ::step, ::step], mask[..., ::step, ::step]
            for dim in (-2, -1):
                slope = residual.diff(dim=dim)
                slope = (slope.square() if self.square else slope.abs()).sum(1)
                both = valid.narrow(dim, 1, valid.shape[dim] - 1) & valid.narrow(
                    dim, 0, valid.shape[dim] - 1
                )
                total = total + mean_over(slope, both[:, 0])
        return total


def _log_difference(pred: Tensor, target: Tensor, eps: float) -> Tensor:
    """Log of target minus log of prediction, both at least ``eps``."""
    return target.clamp(min=eps).log() - pred.clamp(min=eps).log()
