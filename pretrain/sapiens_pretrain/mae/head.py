# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reconstruction targets, loss and pictures of MAE.

Shape letters: B images, L = h * w patches, P patch side, C channels.
"""

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor

from sapiens_pretrain.registry import MODELS

L2 = {'type': 'mmpretrain.PixelReconstructionLoss', 'criterion': 'L2'}
EPS = 1e-6


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cut images (B, C, H, W) into patches (B, L, P * P * C), channels last in a patch.

    Raises:
        ValueError: The image is not a whole number of patches.
    """
    height, width = images.shape[2:]
    if height % patch_size or width % patch_size:
        raise ValueError(f'an image of {height} x {width} is not a multiple of patch {patch_size}')
    x = images.unflatten(3, (-1, patch_size)).unflatten(2, (-1, patch_size))  # (B, C, h, P, w, P)
    return x.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


def unpatchify(patches: Tensor, grid: tuple[int, int], patch_size: int) -> Tensor:
    """Join patches (B, L, P * P * C) of an (h, w) grid to images (B, C, H, W)."""
    x = patches.unflatten(2, (patch_size, patch_size, -1)).unflatten(1, grid)
    return x.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)


@MODELS.register_module()
class MAEHead(BaseModule):
    """Per-patch targets and masked loss: head of ``mmpretrain.MAE`` for any image shape.

    Upstream's head is for square images only. No parameters.

    Args:
        patch_size: Patch side in pixels (P).
        norm_pix: Whether every target patch is standardised (unbiased variance).
        loss: Config of a loss called with (pred, target, mask).
    """

    def __init__(
        self, patch_size: int = 16, norm_pix: bool = True, loss: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.norm_pix = norm_pix
        self.loss_module = MODELS.build(dict(loss or L2))

    def construct_target(self, images: Tensor) -> Tensor:
        """Patches (B, L, P * P * C) to be predicted for normalised images (B, C, H, W)."""
        target = patchify(images, self.patch_size)
        if self.norm_pix:
            mean, std = self._statistics(target)
            target = (target - mean) / std
        return target

    @staticmethod
    def _statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, L, 1) of each patch."""
        variance, mean = torch.var_mean(patches, dim=2, keepdim=True)
        return mean, (variance + EPS).sqrt()

    def loss(self, pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Mean squared error over the hidden patches.

        Args:
            pred: Predicted patches (B, L, P * P * C).
            target: Normalised images (B, C, H, W).
            mask: (B, L), 1 where hidden.
        """
        return self.loss_module(pred.float(), self.construct_target(target.float()), mask)

    @torch.no_grad()
    def reconstruct(self, pred: Tensor, images: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Turn predictions into images, for looking at them.

        With ``norm_pix`` the model says nothing about a patch's brightness and contrast; they are
        taken from the true patch.

        Args:
            pred: Predicted patches (B, L, P * P * C).
            images: Normalised images (B, C, H, W).
            mask: (B, L), 1 where hidden.

        Returns:
            Two batches of normalised images (B, C, H, W): hidden patches zeroed, and hidden
            patches replaced by the prediction.
        """
        patches = patchify(images.float(), self.patch_size)
        pred = pred.float()
        if self.norm_pix:
            mean, std = self._statistics(patches)
            pred = pred * std + mean
        hidden = mask[..., None]
        height, width = images.shape[2:]
        grid = (height // self.patch_size, width // self.patch_size)
        masked = unpatchify(patches * (1 - hidden), grid, self.patch_size)
        filled = unpatchify(patches * (1 - hidden) + pred * hidden, grid, self.patch_size)
        return masked, filled
