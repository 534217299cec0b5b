# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Class ids at the size of the original image without all logits at that size."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_SMALL = 1 << 16
"""Pixels up to which resizing all classes at once needs little memory."""


def labels_at_size(
    logits: Tensor, sizes: Sequence[tuple[int, int]], align_corners: bool = False
) -> Tensor:
    """``argmax`` of bilinearly resized logits, one class at a time.

    Each class is resized by the same kernel on the same numbers as if all were resized together, and
    ties go to the lowest id as in ``torch.argmax``; so the labels of contiguous logits equal those of
    the straightforward way bit by bit. At most two float maps and two byte maps of the last size
    exist at a time (10 bytes per pixel, against 4 per class and 8 for the labels), whatever the number
    of classes.

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
    # Small maps are resized together: that is cheap, and PyTorch's CPU kernel for small outputs of many
    # channels rounds differently from the one for a single channel.
    small = [index for index, size in enumerate(sizes) if size[0] * size[1] <= _SMALL]
    together = small[-1] + 1 if small else 0
    logits = _resize(logits, sizes[:together], align_corners)
    if together == len(sizes):
        return logits.argmax(0).to(torch.uint8)
    sizes = sizes[together:]
    labels = torch.zeros(tuple(sizes[-1]), dtype=torch.uint8, device=logits.device)
    best = _resize(logits[:1], sizes, align_corners)[0]
    for index in range(1, logits.shape[0]):
        candidate = _resize(logits[index : index + 1], sizes, align_corners)[0]
        labels.masked_fill_(candidate > best, index)
        torch.maximum(best, candidate, out=best)
        del candidate  # before the next one is made
    return labels


def _resize(logits: Tensor, sizes: Sequence[tuple[int, int]], align_corners: bool) -> Tensor:
    """Take (C, h, w) through all resizes."""
    for size in sizes:
        logits = F.interpolate(
            logits[None], tuple(size), mode='bilinear', align_corners=align_corners
        )[0]
    return logits
