# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Text, legends and arrangement of pictures. All pictures are uint8 (H, W, 3) BGR, colours RGB."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
Entries = Sequence[tuple[str, Color]]
"""Lines of a legend: name and RGB colour; an empty name is an empty line."""

PAPER: Color = (250, 250, 250)
INK: Color = (30, 30, 30)
GAP = 6
"""Pixels between two pictures."""
LEAST_TEXT = 11
"""Smaller letters cannot be read."""


def text_height(height: int) -> int:
    """Letter size in pixels for a picture of that height: 27 lines fit, all body parts with their shares."""
    return max(LEAST_TEXT, round(height / 40))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@lru_cache(maxsize=512)
def _coverage(text: str, size: int) -> np.ndarray:
    """How much of each pixel of a line of text is ink, uint8 (h, w)."""
    image = Image.new('L', (max(1, text_width(text, size)), round(1.3 * size)))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=_font(size))
    return np.asarray(image)


def draw_text(
    picture: np.ndarray, text: str, xy: tuple[int, int], size: int, color: Color = INK
) -> None:
    """Draw text in place, its upper left corner at ``xy``; what lies outside is cut off."""
    ink = _coverage(text, size)
    height, width = picture.shape[:2]
    x, y = xy
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + ink.shape[1], width), min(y + ink.shape[0], height)
    if left >= right or top >= bottom:
        return
    share = ink[top - y : bottom - y, left - x : right - x, None].astype(np.float32) / 255
    part = picture[top:bottom, left:right]
    mixed = part * (1 - share) + np.array(color[::-1], np.float32) * share
    part[:] = mixed.round().astype(np.uint8)


def text_width(text: str, size: int) -> int:
    """Width of a text in pixels."""
    return int(np.ceil(_font(size).getlength(text)))


def legend(entries: Entries, height: int, room_for: Sequence[str] = ()) -> np.ndarray:
    """A panel of colour patches and names.

    Args:
        entries: Lines of the panel.
        height: Height of the panel in pixels; entries that do not fit start another column.
        room_for: Names that the panel is wide enough for, whether they are there or not: the frames of a
            video must not differ in width.

    Returns:
        The panel, (height, W, 3).
    """
    size = text_height(height)
    rows = _rows(height, size)
    names = room_for or [name for name, _ in entries]
    columns = max(-(-len(names) // rows), -(-len(entries) // rows), 1)
    widest = max((text_width(name, size) for name in names), default=0)
    panel = np.full((height, columns * _column_width(widest, size), 3), PAPER, np.uint8)
    fill_legend(panel, entries, size)
    return panel


def fill_legend(panel: np.ndarray, entries: Entries, size: int | None = None) -> None:
    """Draw a legend into a panel, in columns from the left.

    Args:
        panel: uint8 (H, W, 3), changed in place.
        entries: Lines of the legend.
        size: Letter size; None takes the largest with which all entries fit, and the least readable
            size if none does (the last entries are left out then).
    """
    height, width = panel.shape[:2]
    if size is None:
        size = next(
            (s for s in range(text_height(height), LEAST_TEXT, -1) if _fits(entries, s, panel)),
            LEAST_TEXT,
        )
    rows, left = _rows(height, size), 0
    line, margin = _line(size), _margin(size)
    for start in range(0, len(entries), rows):
        column = entries[start : start + rows]
        if left >= width:
            return
        for row, (name, color) in enumerate(column):
            if not name:
                continue
            x, y = left + margin, margin // 2 + row * line
            panel[y + 1 : y + size + 2, x : x + size] = (120, 120, 120)
            panel[y + 2 : y + size + 1, x + 1 : x + size - 1] = color[::-1]
            draw_text(panel, name, (x + size + margin, y), size)
        left += _column_width(max(text_width(name, size) for name, _ in column), size)


def _fits(entries: Entries, size: int, panel: np.ndarray) -> bool:
    rows = _rows(panel.shape[0], size)
    columns = [entries[start : start + rows] for start in range(0, len(entries), rows)]
    widest = (max(text_width(name, size) for name, _ in column) for column in columns)
    return sum(_column_width(width, size) for width in widest) <= panel.shape[1]


def _line(size: int) -> int:
    return round(size * 1.45)


def _margin(size: int) -> int:
    return round(size * 0.6)


def _rows(height: int, size: int) -> int:
    return max(1, (height - _margin(size)) // _line(size))


def _column_width(text: int, size: int) -> int:
    return text + size + 3 * _margin(size)


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
    draw_text(bar, title, (round(size * 0.4), round(size * 0.2)), size)
    return np.concatenate([bar, picture])
