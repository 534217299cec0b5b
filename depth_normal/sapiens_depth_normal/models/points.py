# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Pointmaps as tensors: the batch that losses compare, points from depth, normals from points."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .losses import mean_over


class Pointmaps(NamedTuple):
    """Predicted and true points of a batch.

    Attributes:
        pred: Canonical points (B, 3, H, W), x right, y down, z forward.
        pred_scale: Scales (B, 1).
        target: Canonical points (B, 3, H, W), 0 outside the mask.
        mask: Bool (B, 1, H, W), true where the target is known.
        scale: (B,), canonical points over metres.
        intrinsics: Pinhole matrices (B, 3, 3) in pixels of the maps, not canonical.
    """

    pred: Tensor
    pred_scale: Tensor
    target: Tensor
    mask: Tensor
    scale: Tensor
    intrinsics: Tensor

    @classmethod
    def from_depth(
        cls,
        pred: Tensor,
        pred_scale: Tensor,
        depth: Tensor,
        mask: Tensor,
        intrinsics: Tensor,
        canonical_focal: float,
    ) -> 'Pointmaps':
        """Make the true points from depth (B, 1, H, W) in metres and the camera."""
        scale = canonical_focal / intrinsics[:, 0, 0]
        depth = torch.where(mask, depth.float(), 0.0)
        target = unproject(depth[:, 0], intrinsics) * scale[:, None, None, None]
        return cls(pred.float(), pred_scale.float(), target, mask, scale, intrinsics)

    def relative(self) -> tuple[Tensor, Tensor]:
        """Predicted and true points divided by the mean true depth of each image's valid pixels."""
        depth = mean_over(self.target[:, 2], self.mask[:, 0], (1, 2))[:, None, None, None]
        depth = torch.where(depth > 0, depth, 1.0)
        return self.pred / depth, self.target / depth


def unproject(depth: Tensor, intrinsics: Tensor) -> Tensor:
    """Points (B, 3, H, W) of depth (B, H, W) under pinhole matrices (B, 3, 3); x right, y down, z forward.

    Integer coordinates are the middles of pixels.
    """
    rows = torch.arange(depth.shape[1], device=depth.device)[:, None]
    columns = torch.arange(depth.shape[2], device=depth.device)
    fx, fy, cx, cy = (
        intrinsics[:, row, column, None, None] for row, column in ((0, 0), (1, 1), (0, 2), (1, 2))
    )
    return torch.stack([(columns - cx) * depth / fx, (rows - cy) * depth / fy, depth], 1)


def normals_of(points: Tensor) -> tuple[Tensor, Tensor]:
    """Unit normals (B, 3, H, W) of points in metres, and where they are defined, (B, H, W).

    Cross product of the steps to the right and to the lower neighbour, in centimetres.
    """
    extended = F.pad(points, (0, 1, 0, 1), mode='reflect')
    right = (extended[..., :-1, 1:] - points) * 100
    below = (extended[..., 1:, :-1] - points) * 100
    cross = torch.linalg.cross(right, below, dim=1)
    # The root's slope at zero is infinite: the limit keeps the gradient finite there.
    length = cross.square().sum(1).clamp(min=1e-12).sqrt()
    defined = length > 1e-6
    return torch.where(defined[:, None], cross / length[:, None], 0.0), defined
