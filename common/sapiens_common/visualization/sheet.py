# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Several pictures of one photo on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .canvas import GAP, PAPER, Entries, fill_legend, titled

SCREEN = 16 / 9
"""Width over height that a sheet aims at."""
MAX_HEIGHT = 900
"""Pictures on a sheet are shrunk to this height: five 4K photos make no sheet."""
MIN_HEIGHT = 480
"""Smaller pictures are enlarged to this height, so that titles and legends can be read beside them."""


def sheet(
    pictures: Sequence[tuple[str, np.ndarray]],
    columns: int | None = None,
    entries: Entries = (),
) -> np.ndarray:
    """Arrange titled pictures in rows.

    Args:
        pictures: Title and picture; all become as high as the first, between :data:`MIN_HEIGHT` and
            :data:`MAX_HEIGHT`.
        columns: Pictures per row; None chooses what comes near a screen's shape and wastes little.
        entries: Legend of all pictures, in a cell of its own, as large as the first picture.

    Returns:
        uint8 (H, W, 3) BGR.
    """
    height = int(np.clip(pictures[0][1].shape[0], MIN_HEIGHT, MAX_HEIGHT))
    cells = [titled(_to_height(picture, height), title) for title, picture in pictures]
    if entries:
        panel = np.full_like(cells[0], PAPER)
        fill_legend(panel, entries)
        cells.append(panel)
    if columns is None:
        columns = min(range(1, len(cells) + 1), key=lambda count: _badness(cells, count))
    canvas = np.full((*_extent(cells, columns), 3), PAPER, np.uint8)
    step = cells[0].shape[0] + GAP
    for number, row in enumerate(_split(cells, columns)):
        y, x = GAP + number * step, GAP
        for cell in row:
            canvas[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
            x += cell.shape[1] + GAP
    return canvas


def _split(cells: Sequence[np.ndarray], columns: int) -> list[Sequence[np.ndarray]]:
    return [cells[start : start + columns] for start in range(0, len(cells), columns)]


def _extent(cells: Sequence[np.ndarray], columns: int) -> tuple[int, int]:
    """(height, width) of the sheet with so many columns."""
    rows = _split(cells, columns)
    width = max(sum(cell.shape[1] + GAP for cell in row) for row in rows) + GAP
    return len(rows) * (cells[0].shape[0] + GAP) + GAP, width


def _badness(cells: Sequence[np.ndarray], columns: int) -> float:
    """How far a sheet is from a screen's shape, and how much of it stays blank.

    Only sizes count, so that all frames of a video are arranged alike.
    """
    height, width = _extent(cells, columns)
    used = sum(cell.shape[0] * cell.shape[1] for cell in cells) / (height * width)
    return abs(float(np.log(width / height / SCREEN))) + 2 * (1 - used)


def _to_height(picture: np.ndarray, height: int) -> np.ndarray:
    if picture.shape[0] == height:
        return picture
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    way = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(picture, (width, height), interpolation=way)
