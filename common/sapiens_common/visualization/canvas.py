# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Text, legends and arrangement of pictures. All pictures are uint8 (H, W, 3) BGR, colours RGB."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]

PAPER: Color = (250, 250, 250)
INK: Color = (30, 30, 30)
GAP = 6
"""Pixels between two pictures."""


def text_height(height: int) -> int:
    """Letter size in pixels for a picture of that height."""
    return int(np.clip(height / 32, 11, 40))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def draw_text(
    picture: np.ndarray, text: str, xy: tuple[int, int], size: int, color: Color = INK
) -> np.ndarray:
    """A copy of a picture with text whose upper left corner is at ``xy``."""
    image = Image.fromarray(np.ascontiguousarray(picture[..., ::-1]))
    ImageDraw.Draw(image).text(xy, text, fill=color, font=_font(size))
    return np.ascontiguousarray(np.asarray(image)[..., ::-1])


def text_width(text: str, size: int) -> int:
    """Width of a text in pixels."""
    return int(np.ceil(_font(size).getlength(text)))


def legend(entries: Sequence[tuple[str, Color]], height: int) -> np.ndarray:
    """A panel of colour patches and names.

    Args:
        entries: Name and RGB colour of each line.
        height: Height of the panel in pixels; entries that do not fit start another column.

    Returns:
        The panel, (height, W, 3).
    """
    size = text_height(height)
    line, margin = round(size * 1.45), round(size * 0.6)
    rows = max(1, (height - margin) // line)
    columns = [entries[start : start + rows] for start in range(0, len(entries), rows)]
    widths = [
        max(text_width(name, size) for name, _ in column) + size + 3 * margin for column in columns
    ]
    image = Image.new('RGB', (max(1, sum(widths)), height), PAPER)
    draw = ImageDraw.Draw(image)
    left = 0
    for column, width in zip(columns, widths, strict=True):
        for row, (name, color) in enumerate(column):
            x, y = left + margin, margin // 2 + row * line
            draw.rectangle((x, y + 2, x + size, y + size + 1), fill=color, outline=(120, 120, 120))
            draw.text((x + size + margin, y), name, fill=INK, font=_font(size))
        left += width
    return np.ascontiguousarray(np.asarray(image)[..., ::-1])


def beside(*pictures: np.ndarray) -> np.ndarray:
    """Pictures of equal height side by side, with a gap."""
    height = pictures[0].shape[0]
    gap = np.full((height, GAP, 3), PAPER, np.uint8)
    parts = [pictures[0]]
    for picture in pictures[1:]:
        parts += [gap, picture]
    return np.concatenate(parts, axis=1)


def titled(picture: np.ndarray, title: str) -> np.ndarray:
    """A picture under a line of text."""
    size = text_height(picture.shape[0])
    bar = np.full((round(size * 1.6), picture.shape[1], 3), PAPER, np.uint8)
    bar = draw_text(bar, title, (round(size * 0.4), round(size * 0.2)), size)
    return np.concatenate([bar, picture])
