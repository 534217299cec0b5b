# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Heatmap losses that upstream lacks, or has with a Python loop over keypoints.

The plain weighted MSE is mmpose's ``KeypointMSELoss``, used under its own name.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sapiens_pose.registry import MODELS


@MODELS.register_module()
class HardKeypointMSELoss(nn.Module):
    """MSE of the ``topk`` worst keypoints of each person (online hard keypoint mining).

    Equal to mmpose's ``KeypointOHKMMSELoss``, computed for all keypoints at once.

    Args:
        topk: How many keypoints of a person count.
        use_target_weight: Whether maps are multiplied by the keypoint weights before squaring.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: ``topk`` is not positive, or larger than the number of keypoints.

    Reference: Chen et al., "Cascaded Pyramid Network for Multi-Person Pose Estimation", CVPR 2018.
    """

    def __init__(
        self, topk: int = 8, use_target_weight: bool = False, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        if topk <= 0:
            raise ValueError(f'topk must be positive, got {topk}')
        self.topk = topk
        self.use_target_weight = use_target_weight
        self.loss_weight = loss_weight

    def forward(self, output: Tensor, target: Tensor, target_weights: Tensor) -> Tensor:
        """Loss of heatmaps (B, K, H, W) against targets (B, K, H, W) with weights (B, K)."""
        if self.topk > output.shape[1]:
            raise ValueError(
                f'topk {self.topk} exceeds the {output.shape[1]} keypoints of this model; set '
                'model.head.loss.topk to fewer'
            )
        losses = F.mse_loss(output, target, reduction='none').mean(dim=(2, 3))
        if self.use_target_weight:
            losses = losses * target_weights**2
        return losses.topk(self.topk, dim=1, sorted=False).values.mean() * self.loss_weight


@MODELS.register_module()
class PeakedMSELoss(nn.Module):
    """MSE of heatmaps plus a cross-entropy of where each has its peak.

    From scratch the MSE alone first learns that heatmaps are nearly empty, and stays there for long. The second term,
    the divergence of softmax(``sharpness`` x heatmap) over the pixels from the normalised target, pulls peaks to
    their place from the first step. Both agree at the optimum, so outputs are ordinary heatmaps.

    Args:
        sharpness: Factor of the heatmaps before the softmax.
        mse_weight: Factor of the MSE, which is as mmpose's ``KeypointMSELoss`` with target weights.
        peak_weight: Factor of the divergence, a mean over people and keypoints with the keypoint weights.
        first: The divergence is taken of this many keypoints, None of all; of the 308 the first 70 are
            those off the face, and the others would cost three times as much.
    """

    def __init__(
        self,
        sharpness: float = 10.0,
        mse_weight: float = 1.0,
        peak_weight: float = 1.0,
        first: int | None = None,
    ) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.mse_weight = mse_weight
        self.peak_weight = peak_weight
        self.first = first

    def forward(self, output: Tensor, target: Tensor, target_weights: Tensor) -> Tensor:
        """Loss of heatmaps (B, K, H, W) against targets (B, K, H, W) with weights (B, K)."""
        difference = ((output - target) ** 2).mean(dim=(2, 3))
        loss = self.mse_weight * (difference * target_weights).mean()
        maps, wanted = output[:, : self.first].flatten(2), target[:, : self.first].flatten(2)
        total = wanted.sum(-1)
        weights = target_weights[:, : self.first] * (total > 0)
        wanted = wanted / total.clamp(min=1e-6)[..., None]
        # The target's entropy is taken off, so that the best value is about 0.
        log_shares = (self.sharpness * maps).log_softmax(-1)
        divergence = (torch.xlogy(wanted, wanted) - wanted * log_shares).sum(-1)
        count = weights.sum().clamp(min=1e-6)
        return loss + self.peak_weight * (divergence * weights).sum() / count
