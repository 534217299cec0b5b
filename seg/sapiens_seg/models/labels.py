# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Class ids at the size of the original image without all logits at that size."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def labels_at_size(
    logits: Tensor, sizes: Sequence[tuple[int, int]], align_corners: bool = False
) -> Tensor:
    """``argmax`` of bilinearly resized logits, one class at a time.

    Each class is resized by the same call on the same numbers as if all were resized together, and
    ties go to the lowest id as in ``torch.argmax``; so the labels equal those of the straightforward
    way bit by bit. At most two float maps and two byte maps of the last size exist at a time (10
    bytes per pixel, against 4 per class and 8 for the labels), whatever the number of classes.

    Args:
        logits: (C, h, w) with C from 1 to 256.
        sizes: (height, width) in pixels of each resize in turn, usually the model input's and the
            image's. Two steps because MMSegmentation takes two, which is not the same as one.
        align_corners: As in ``torch.nn.functional.interpolate``.

    Returns:
        uint8 (H, W) of the last size.

    Raises:
        ValueError: Logits of another rank, or more classes than a byte can number.
    """
    if logits.ndim != 3 or not 1 <= logits.shape[0] <= 256:
        raise ValueError(f'expected logits (C, h, w) with C <= 256, got {tuple(logits.shape)}')
    labels = torch.zeros(tuple(sizes[-1]), dtype=torch.uint8, device=logits.device)
    best = _resize(logits[0], sizes, align_corners)
    for index in range(1, logits.shape[0]):
        candidate = _resize(logits[index], sizes, align_corners)
        labels.masked_fill_(candidate > best, index)
        torch.maximum(best, candidate, out=best)
        del candidate  # before the next one is made
    return labels


def _resize(logit: Tensor, sizes: Sequence[tuple[int, int]], align_corners: bool) -> Tensor:
    """One class (h, w) through all resizes."""
    logit = logit[None, None]
    for size in sizes:
        logit = F.interpolate(logit, size, mode='bilinear', align_corners=align_corners)
    return logit[0, 0]
