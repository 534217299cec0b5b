# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Losses of pointmaps. Each takes a batch of :class:`sapiens_depth_normal.models.points.Pointmaps` and returns a scalar.

Points are canonical, that is metres times the image's scale. Values are sums over all valid pixels of
the batch divided by their number; an empty mask gives zero with zero gradient.
"""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from sapiens_depth_normal.registry import MODELS

from .losses import MaskedSiLogLoss, mean_over
from .points import Pointmaps, normals_of, unproject


class PointmapLoss(nn.Module, ABC):
    """Base of the losses.

    Args:
        loss_weight: Factor of the value.
        loss_name: Log key; it must start with ``loss_`` to take part in the backward pass.
        limit: Largest weighted value, beyond which nothing is learned; None for no limit.
    """

    def __init__(self, loss_weight: float, loss_name: str, limit: float | None = None) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.loss_name = loss_name
        self.limit = limit

    def forward(self, maps: Pointmaps) -> Tensor:
        """Weighted loss of a batch."""
        value = self.loss_weight * self.compute(maps)
        return value if self.limit is None else value.clamp(max=self.limit)

    @abstractmethod
    def compute(self, maps: Pointmaps) -> Tensor:
        """Unweighted loss."""


@MODELS.register_module()
class PointmapL1Loss(PointmapLoss):
    """Distance |x| + |y| + |z| of points relative to the image's mean depth.

    Args:
        factor: Factor by which maps are enlarged before they are compared.
        loss_weight: Factor of the value.
        loss_name: Log key.
        limit: Largest weighted value.
    """

    def __init__(
        self,
        factor: int = 1,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_l1',
        limit: float | None = 4.0,
    ) -> None:
        super().__init__(loss_weight, loss_name, limit)
        self.factor = factor

    def compute(self, maps: Pointmaps) -> Tensor:
        """Unweighted loss."""
        pred, target = maps.relative()
        mask = maps.mask
        if self.factor != 1:
            pred, target = (
                F.interpolate(
                    points, scale_factor=self.factor, mode='bilinear', align_corners=False
                )
                for points in (pred, target)
            )
            mask = F.interpolate(mask.float(), scale_factor=self.factor, mode='nearest') > 0
        return mean_over((pred - target).abs().sum(1), mask[:, 0])


@MODELS.register_module()
class PointmapShiftInvariantLoss(PointmapLoss):
    """As :class:`PointmapL1Loss`, after the centroid of each image's valid points is subtracted.

    Args:
        loss_weight: Factor of the value.
        loss_name: Log key.
        limit: Largest weighted value.
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_shift_invariant',
        limit: float | None = 4.0,
    ) -> None:
        super().__init__(loss_weight, loss_name, limit)

    def compute(self, maps: Pointmaps) -> Tensor:
        """Unweighted loss."""
        centred = [
            points - mean_over(points, maps.mask, (2, 3))[:, :, None, None]
            for points in maps.relative()
        ]
        return mean_over((centred[0] - centred[1]).abs().sum(1), maps.mask[:, 0])


@MODELS.register_module()
class PointmapDepthLoss(PointmapLoss):
    """:class:`MaskedSiLogLoss` of the z of the points.

    Args:
        eps: Smallest z that is told apart from zero.
        loss_weight: Factor of the value.
        loss_name: Log key.
    """

    def __init__(
        self, eps: float = 1e-4, loss_weight: float = 1.0, loss_name: str = 'loss_silog'
    ) -> None:
        super().__init__(loss_weight, loss_name)
        self.silog = MaskedSiLogLoss(eps=eps)

    def compute(self, maps: Pointmaps) -> Tensor:
        """Unweighted loss."""
        return self.silog(maps.pred[:, 2:], maps.target[:, 2:], maps.mask)


@MODELS.register_module()
class IntrinsicsConsistencyLoss(PointmapLoss):
    """How far predicted points lie beside the rays of their pixels, in x and y at their own z.

    Args:
        loss_weight: Factor of the value.
        loss_name: Log key.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_K_consistency') -> None:
        super().__init__(loss_weight, loss_name)

    def compute(self, maps: Pointmaps) -> Tensor:
        """Unweighted loss."""
        on_rays = unproject(maps.pred[:, 2], maps.intrinsics)
        return mean_over((maps.pred - on_rays)[:, :2].abs().sum(1), maps.mask[:, 0])


@MODELS.register_module()
class PointmapNormalLoss(PointmapLoss):
    """Difference of the normals of the surfaces through predicted and true points.

    One minus the cosine, plus the mean absolute difference of the components.

    Args:
        loss_weight: Factor of the value.
        loss_name: Log key.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_normal') -> None:
        super().__init__(loss_weight, loss_name)

    def compute(self, maps: Pointmaps) -> Tensor:
        """Unweighted loss."""
        scale = maps.scale[:, None, None, None]
        pred, _ = normals_of(maps.pred / scale)
        target, defined = normals_of(maps.target / scale)
        mask = maps.mask[:, 0] & defined
        cosine = (pred * target).sum(1).clamp(-1, 1)
        return mean_over(1 - cosine + (pred - target).abs().mean(1), mask)


@MODELS.register_module()
class PointmapScaleLoss(PointmapLoss):
    """Mean absolute error of the scale.

    Args:
        loss_weight: Factor of the value.
        loss_name: Log key.
    """

    def __init__(self, loss_weight: float = 1.0, loss_name: str = 'loss_scale_l1') -> None:
        super().__init__(loss_weight, loss_name)

    def compute(self, maps: Pointmaps) -> Tensor:
        """Unweighted loss."""
        return (maps.pred_scale[:, 0] - maps.scale).abs().mean()
