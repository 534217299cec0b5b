# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Several pictures of one photo on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .canvas import GAP, PAPER, titled


def sheet(pictures: Sequence[tuple[str, np.ndarray]], columns: int | None = None) -> np.ndarray:
    """Arrange titled pictures in a grid.

    Args:
        pictures: Title and picture; all become as high as the first.
        columns: Pictures per row; None chooses what comes nearest to a screen's shape.

    Returns:
        uint8 (H, W, 3) BGR.
    """
    height = pictures[0][1].shape[0]
    cells = [titled(_to_height(picture, height), title) for title, picture in pictures]
    cell_height = cells[0].shape[0]
    cell_width = max(cell.shape[1] for cell in cells)
    if columns is None:
        columns = min(
            range(1, len(cells) + 1),
            key=lambda n: abs(np.log(n * cell_width / (-(-len(cells) // n) * cell_height) / 1.6)),
        )
    rows = -(-len(cells) // columns)
    canvas = np.full(
        (rows * (cell_height + GAP) + GAP, columns * (cell_width + GAP) + GAP, 3), PAPER, np.uint8
    )
    for index, cell in enumerate(cells):
        y = GAP + index // columns * (cell_height + GAP)
        x = GAP + index % columns * (cell_width + GAP)
        canvas[y : y + cell_height, x : x + cell.shape[1]] = cell
    return canvas


def _to_height(picture: np.ndarray, height: int) -> np.ndarray:
    if picture.shape[0] == height:
        return picture
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
