# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Heatmap losses that upstream has not, or has with a Python loop over keypoints.

The plain weighted MSE is mmpose's ``KeypointMSELoss``, used under its own name.
"""

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
