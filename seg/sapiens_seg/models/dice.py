# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Dice over the body parts that a picture shows."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sapiens_seg.registry import MODELS


@MODELS.register_module()
class BodyPartDice(nn.Module):
    """One minus the Dice coefficient of the classes present in an image's labels, averaged over the images.

    The coefficient of a class is ``(2 sum(p g) + eps) / (sum(p**power) + sum(g**power) + eps)`` over the labelled
    pixels, with p the softmax of the logits and g 0 or 1 (Milletari et al., "V-Net", 3DV 2016). Upstream's
    ``DiceLoss`` averages over all classes, absent ones too.

    Args:
        include_background: Whether class 0 counts.
        count_empty: Whether images without a class that counts enter the average, with 0 (as published).
        power: 2 squares probabilities in the denominator; 1 does not.
        eps: Keeps the quotient finite.
        loss_weight: Factor of this loss.
        loss_name: Key in the log; must start with ``loss_`` to be trained.
    """

    def __init__(
        self,
        include_background: bool = False,
        count_empty: bool = True,
        power: int = 2,
        eps: float = 1e-3,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_dice',
    ) -> None:
        super().__init__()
        self.first = 0 if include_background else 1
        self.count_empty = count_empty
        self.power = power
        self.eps = eps
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        **kwargs: Any,
    ) -> Tensor:
        """Loss of logits (B, C, H, W) against labels (B, H, W).

        Args:
            cls_score: Logits.
            label: Class ids, int64.
            weight: Not used; part of MMSegmentation's call.
            ignore_index: Label value of pixels that do not count.
            **kwargs: Not used.

        Returns:
            Scalar.
        """
        labelled = (label != ignore_index)[:, None]
        classes = cls_score.shape[1]
        truth = F.one_hot(label.masked_fill(~labelled[:, 0], 0), classes).movedim(-1, 1)
        truth = (truth * labelled)[:, self.first :].flatten(2).to(torch.float32)
        share = (cls_score.float().softmax(1) * labelled)[:, self.first :].flatten(2)
        overlap = 2 * (share * truth).sum(2) + self.eps
        total = share.pow(self.power).sum(2) + truth.sum(2) + self.eps
        present = truth.sum(2) > 0  # (B, C)
        count = present.sum(1)
        dice = (overlap / total * present).sum(1) / count.clamp(min=1)
        losses = (1 - dice) * (count > 0)
        images = len(losses) if self.count_empty else (count > 0).sum().clamp(min=1)
        return self.loss_weight * losses.sum() / images
