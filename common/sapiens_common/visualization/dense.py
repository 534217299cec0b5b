# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Body parts, depth and normals as pictures. All pictures are uint8 (H, W, 3) BGR, colours RGB."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .canvas import GAP, INK, PAPER, Color, draw_text, legend, text_height, text_width

BACKGROUND: Color = (128, 128, 128)
"""Colour of what is not a person."""


def parts_overlay(
    image: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    palette: Sequence[Color],
    opacity: float = 0.55,
    ignore: int = 255,
) -> tuple[np.ndarray, np.ndarray]:
    """Body parts laid over the photo, outlined, and a legend of those that are there.

    Args:
        image: The photo.
        labels: (H, W) class ids; 0 is background and stays as it is.
        names: Name per class.
        palette: RGB per class.
        opacity: Of the parts.
        ignore: Label of pixels that are neither.

    Returns:
        The picture and the legend, of equal height.
    """
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(palette)] = np.asarray(palette, np.uint8)[:, ::-1]
    part = (labels > 0) & (labels != ignore)
    mixed = cv2.addWeighted(image, 1 - opacity, colors[labels], opacity, 0)
    picture = np.where(part[..., None], mixed, image)
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    picture[edge] = (picture[edge] * 0.35).astype(np.uint8)
    counts = np.bincount(labels.ravel(), minlength=256)
    total = max(1, int(counts[1:ignore].sum()))
    entries = [
        (f'{names[index].replace("_", " ")}  {100 * counts[index] / total:.1f} %', palette[index])
        for index in np.argsort(-counts, kind='stable')
        if 0 < index < len(names) and counts[index]
    ]
    return picture, legend(entries or [('no body part found', BACKGROUND)], image.shape[0])


def depth_range(depth: np.ndarray, mask: np.ndarray | None) -> tuple[float, float]:
    """Nearest and farthest finite value on the mask, without the outermost half percent of pixels."""
    values = depth[np.isfinite(depth) if mask is None else mask & np.isfinite(depth)]
    if not values.size:
        return 0.0, 1.0
    near, far = np.percentile(values, (0.5, 99.5))
    return float(near), float(far)


def depth_picture(
    depth: np.ndarray, mask: np.ndarray | None = None, limits: tuple[float, float] | None = None
) -> np.ndarray:
    """Depth in the inferno colours, near bright, background grey.

    Args:
        depth: (H, W), smaller is nearer; NaN where there is none.
        mask: bool (H, W), True on people; None colours everything.
        limits: Values shown brightest and darkest; None takes those of :func:`depth_range`. A flat depth
            is shown bright.
    """
    near, far = depth_range(depth, mask) if limits is None else limits
    valid = np.isfinite(depth) if mask is None else mask & np.isfinite(depth)
    scaled = (far - np.where(valid, depth, far)) / max(far - near, 1e-12)
    if far <= near:
        scaled = np.ones_like(scaled)
    levels = (scaled.clip(0, 1) * 255).round().astype(np.uint8)
    picture = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    picture[~valid] = BACKGROUND
    return picture


def depth_scale(height: int, limits: tuple[float, float]) -> np.ndarray:
    """The colours of a depth picture as a bar: near on top, with the values at both ends."""
    size = text_height(height)
    near, far = (f'{value:.3g}' for value in limits)
    labels = (f'near {near}', f'far {far}')
    width = max(text_width(label, size) for label in labels) + size
    bar = np.full((height, width, 3), PAPER, np.uint8)
    inner = max(height - 4 * size, 1)
    ramp = np.repeat(np.linspace(255, 0, inner)[:, None], 2 * size, axis=1).round().astype(np.uint8)
    top, left = 2 * size, GAP
    bar[top : top + inner, left : left + 2 * size] = cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[
        : height - top, : width - left
    ]
    bar = draw_text(bar, labels[0], (GAP, round(0.4 * size)), size, INK)
    return draw_text(bar, labels[1], (GAP, height - round(1.6 * size)), size, INK)


def normal_picture(normal: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Normals as colours, (n + 1) / 2 with RGB = XYZ, background grey.

    Args:
        normal: (H, W, 3) unit vectors, NaN or zero where there is none.
        mask: bool (H, W), True on people; None colours everything.
    """
    valid = np.isfinite(normal).all(axis=2) & (np.abs(normal).sum(axis=2) > 0)
    if mask is not None:
        valid &= mask
    values = np.where(valid[..., None], normal, 0)
    picture = ((values + 1) * 127.5).round().clip(0, 255).astype(np.uint8)[..., ::-1].copy()
    picture[~valid] = BACKGROUND
    return picture
