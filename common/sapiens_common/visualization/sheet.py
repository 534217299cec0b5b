# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Several pictures of one photo on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .canvas import GAP, PAPER, titled

SCREEN = 16 / 9
"""Width over height that a sheet aims at."""
MAX_HEIGHT = 900
"""Pictures on a sheet are shrunk to this height: five 4K photos make no sheet."""


def sheet(pictures: Sequence[tuple[str, np.ndarray]], columns: int | None = None) -> np.ndarray:
    """Arrange titled pictures in rows.

    Args:
        pictures: Title and picture; all become as high as the first, at most :data:`MAX_HEIGHT`.
        columns: Pictures per row; None chooses what comes nearest to a screen's shape.

    Returns:
        uint8 (H, W, 3) BGR.
    """
    height = min(pictures[0][1].shape[0], MAX_HEIGHT)
    cells = [titled(_to_height(picture, height), title) for title, picture in pictures]
    counts = range(1, len(cells) + 1) if columns is None else [columns]
    sheets = [_rows(cells, count) for count in counts]
    return min(sheets, key=lambda canvas: abs(np.log(canvas.shape[1] / canvas.shape[0] / SCREEN)))


def _rows(cells: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Cells of equal height in rows, on paper."""
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    width = max(sum(cell.shape[1] + GAP for cell in row) for row in rows) + GAP
    height = cells[0].shape[0] + GAP
    canvas = np.full((len(rows) * height + GAP, width, 3), PAPER, np.uint8)
    for number, row in enumerate(rows):
        y, x = GAP + number * height, GAP
        for cell in row:
            canvas[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
            x += cell.shape[1] + GAP
    return canvas


def _to_height(picture: np.ndarray, height: int) -> np.ndarray:
    if picture.shape[0] == height:
        return picture
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
