# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Body parts, depth and normals as pictures. All pictures are uint8 (H, W, 3) BGR, colours RGB."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from .canvas import GAP, INK, PAPER, Color, Entries, draw_text, text_height, text_width

BACKGROUND: Color = (128, 128, 128)
"""Colour of what is not a person."""

_SAMPLES = 1 << 20  # enough pixels for percentiles
# Pixels that are coloured at a time, so that photos of 100 megapixels need little memory beyond their own.
_BAND = 1 << 20


def parts_overlay(
    image: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[Color],
    opacity: float = 0.55,
    ignore: int = 255,
) -> np.ndarray:
    """Body parts laid over the photo, outlined.

    Args:
        image: The photo.
        labels: uint8 (H, W) class ids; 0 is background and stays as it is.
        palette: RGB per class.
        opacity: Opacity of the parts, 0..1.
        ignore: Label of pixels that are neither.

    Returns:
        The picture.
    """
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(palette)] = np.asarray(palette, np.uint8)[:, ::-1]
    is_part = np.zeros(256, np.uint8)
    is_part[1:] = 255
    is_part[ignore] = 0
    # The outline is as wide as a line of print, whatever the size of the photo.
    width = max(2, round(min(labels.shape) / 400))
    edges = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, np.ones((width, width), np.uint8))

    def draw(photo: np.ndarray, ids: np.ndarray, edge: np.ndarray) -> np.ndarray:
        colored = cv2.LUT(cv2.merge([ids] * 3), colors[None])
        mixed = cv2.addWeighted(photo, 1 - opacity, colored, opacity, 0)
        picture = photo.copy()
        cv2.copyTo(mixed, cv2.LUT(ids, is_part), picture)
        cv2.copyTo((mixed * 0.35).astype(np.uint8), (edge > 0).astype(np.uint8), picture)
        return picture

    return by_bands(draw, image, labels, edges)


def colour_picture(values: np.ndarray) -> np.ndarray:
    """Colours (3, H, W) of 0..1, red first, as a picture."""
    return (np.moveaxis(values[::-1], 0, -1) * 255).round().clip(0, 255).astype(np.uint8)


def by_bands(
    draw: Callable[..., np.ndarray],
    *arrays: np.ndarray | None,
    channels: tuple[int, ...] = (3,),
    dtype: type = np.uint8,
) -> np.ndarray:
    """A picture (H, W, *channels) made some rows at a time, of arrays (H, W, ...) or None."""
    height, width = next(array.shape[:2] for array in arrays if array is not None)
    picture = np.empty((height, width, *channels), dtype)
    rows = max(1, _BAND // max(1, width))
    for start in range(0, height, rows):
        band = np.s_[start : start + rows]
        picture[band] = draw(*(None if array is None else array[band] for array in arrays))
    return picture


def count_classes(labels: np.ndarray) -> np.ndarray:
    """Pixels of each value of uint8 labels (H, W): int64 (256,). NumPy needs eight times their memory."""
    rows = max(1, _BAND // max(1, labels.shape[1]))
    bands = (labels[start : start + rows] for start in range(0, len(labels), rows))
    return sum(
        (np.bincount(band.ravel(), minlength=256) for band in bands), np.zeros(256, np.int64)
    )


def parts_entries(
    labels: np.ndarray, names: Sequence[str], palette: Sequence[Color], ignore: int = 255
) -> Entries:
    """Legend of the parts that are there, largest first, with their shares of the person.

    Args:
        labels: uint8 (H, W) class ids; 0 is background.
        names: Name per class.
        palette: RGB per class.
        ignore: Label of pixels that do not count.
    """
    counts = count_classes(labels)
    total = max(1, int(counts[1:ignore].sum()))
    entries = [
        (f'{part_title(names[index])}  {100 * counts[index] / total:.1f} %', palette[index])
        for index in np.argsort(-counts, kind='stable')
        if 0 < index < len(names) and counts[index]
    ]
    return entries or [('no body part found', BACKGROUND)]


def part_title(name: str) -> str:
    """A class name as it is written in pictures."""
    return name.replace('_', ' ')


def depth_range(depth: np.ndarray, mask: np.ndarray | None) -> tuple[float, float]:
    """Nearest and farthest finite value on the mask, without the outermost half percent of pixels."""
    step = max(1, round((depth.size / _SAMPLES) ** 0.5))
    depth = depth[::step, ::step]
    valid = np.isfinite(depth) if mask is None else mask[::step, ::step] & np.isfinite(depth)
    values = depth[valid]
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
    span = far - near if far > near else np.inf

    def draw(values: np.ndarray, inside: np.ndarray | None) -> np.ndarray:
        valid = np.isfinite(values) if inside is None else inside & np.isfinite(values)
        scaled = np.where(valid, values, near).astype(np.float32, copy=False)
        levels = cv2.convertScaleAbs(((far - scaled) / span).clip(0, 1), alpha=255)
        if far <= near:
            levels[:] = 255
        picture = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
        picture[~valid] = BACKGROUND
        return picture

    return by_bands(draw, depth, mask)


def depth_scale(height: int, limits: tuple[float, float]) -> np.ndarray:
    """The colours of a depth picture as a bar: near on top, with the values at both ends."""
    size = text_height(height)
    labels = [f'{name} {value:.2f}' for name, value in zip(('near', 'far'), limits, strict=True)]
    # As wide as for any two-digit number: the frames of a video must not differ in width.
    width = max(text_width(label, size) for label in (*labels, 'near -00.00')) + size
    bar = np.full((height, width, 3), PAPER, np.uint8)
    inner = max(height - 4 * size, 1)
    ramp = np.repeat(np.linspace(255, 0, inner)[:, None], 2 * size, axis=1).round().astype(np.uint8)
    top, left = 2 * size, GAP
    bar[top : top + inner, left : left + 2 * size] = cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[
        : height - top, : width - left
    ]
    draw_text(bar, labels[0], (GAP, round(0.4 * size)), size, INK)
    draw_text(bar, labels[1], (GAP, height - round(1.6 * size)), size, INK)
    return bar


def normal_picture(normal: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Normals as colours, (n + 1) / 2 with RGB = XYZ, background grey.

    Args:
        normal: (H, W, 3) unit vectors, NaN or zero where there is none.
        mask: bool (H, W), True on people; None colours everything.
    """

    def draw(vectors: np.ndarray, inside: np.ndarray | None) -> np.ndarray:
        # Zero, and NaN made zero, is exactly the background's grey.
        finite = cv2.patchNaNs(np.array(vectors, np.float32, order='C'), 0.0)
        levels = cv2.convertScaleAbs(finite, alpha=127.5, beta=127.5)
        picture = cv2.cvtColor(levels, cv2.COLOR_RGB2BGR)
        if inside is not None:
            picture[~inside] = BACKGROUND
        return picture

    return by_bands(draw, normal, mask)
