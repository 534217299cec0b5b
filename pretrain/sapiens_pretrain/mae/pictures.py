# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Looking at masked pretraining: original, masked and reconstructed images side by side."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

TITLE_HEIGHT = 20  # pixels
GAP = 4
Panel = tuple[str, Tensor]


@torch.no_grad()
def reconstruction_panels(model: nn.Module, images: Tensor, ratios: Sequence[float]) -> list[Panel]:
    """Mask and reconstruct images at several mask ratios.

    Args:
        model: ``mmpretrain.MAE`` with the parts of this package. Its mode and mask ratio are as before
            afterwards.
        images: Normalised RGB (B, 3, H, W).
        ratios: Mask ratios.

    Returns:
        (title, normalised images (B, 3, H, W)): the original, then masked and reconstructed for each
        ratio. The visible patches at a higher ratio are among those at a lower one.
    """
    backbone, neck, head = model.backbone, model.neck, model.head
    training, ratio_before = model.training, backbone.mask_ratio
    length = neck.num_patches
    # A generator of its own: looking does not change the run.
    noise = torch.rand(len(images), length, generator=torch.Generator().manual_seed(0))
    panels: list[Panel] = [('original', images)]
    model.eval()
    try:
        for ratio in ratios:
            backbone.mask_ratio = ratio
            latent, mask, restore = backbone(images, noise=noise.to(images.device))
            masked, filled = head.reconstruct(neck(latent, restore), images, mask)
            panels += [(f'masked {ratio:g}', masked), (f'rebuilt {ratio:g}', filled)]
    finally:
        backbone.mask_ratio = ratio_before
        model.train(training)
    return panels


def draw_panels(panels: Sequence[Panel], mean: Tensor, std: Tensor) -> np.ndarray:
    """Arrange panels in columns, one image per row.

    Args:
        panels: (title, normalised RGB (B, 3, H, W)).
        mean: Per channel (3, 1, 1), RGB, of values 0..255.
        std: Likewise.

    Returns:
        BGR uint8 picture.
    """
    columns = []
    for title, images in panels:
        pixels = (images.float() * std + mean).clamp(0, 255).round().byte()
        pixels = pixels.permute(0, 2, 3, 1).cpu().numpy()[..., ::-1]
        tiles = [np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for tile in pixels]
        column = np.concatenate(tiles)
        header = np.full((TITLE_HEIGHT, column.shape[1], 3), 255, np.uint8)
        scale = min(0.45, 0.45 * column.shape[1] / (8.5 * len(title)))
        cv2.putText(
            header, title, (2, 14), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA
        )
        columns.append(np.concatenate([header, column]))
    return np.ascontiguousarray(np.concatenate(columns, axis=1))


def draw_reconstructions(model: Any, images: Tensor, ratios: Sequence[float]) -> np.ndarray:
    """BGR uint8 picture of :func:`reconstruction_panels`, in the model's own normalisation."""
    preprocessor = model.data_preprocessor
    panels = reconstruction_panels(model, images, ratios)
    return draw_panels(panels, preprocessor.mean, preprocessor.std)
