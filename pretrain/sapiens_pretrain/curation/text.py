# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Text over an image, read by RapidOCR, whose networks are part of its package."""

from functools import cache
from typing import Any

import cv2
import numpy as np

WORK_SIZE = 736
"""Pixels of the longer side to which larger images are scaled down."""
LEAST_SCORE = 0.8
LEAST_LETTERS = 2
"""Shapes that the detector takes for text are read as single letters, or with scores below."""
_STRIDE = 32


def text_share(image: np.ndarray) -> float:
    """Share of the image that lines of legible text cover, 0 to 1.

    Printed text of any direction, Latin or Chinese, large letters and most handwriting; also what belongs to the scene, such as
    signs and names on shirts. What is found counts only if it can be read: the detector alone takes blurred objects for letters.

    Args:
        image: BGR uint8 (H, W, 3).

    Raises:
        ImportError: RapidOCR is not installed.
    """
    scale = min(1, WORK_SIZE / max(image.shape[:2]))
    # The detector fails on an image of fewer pixels than its stride.
    width, height = (max(_STRIDE, round(scale * side)) for side in image.shape[1::-1])
    found = _reader()(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    covered = np.zeros((height, width), np.uint8)
    for box, text in zip(found.boxes, found.txts, strict=True) if len(found) else ():
        if len(text.strip()) >= LEAST_LETTERS:
            cv2.fillPoly(covered, [np.round(box).astype(np.int32)], 1)
    return float(covered.mean())


@cache
def _reader() -> Any:
    """The networks of this process."""
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            'Global.text_score': LEAST_SCORE,
            'Global.log_level': 'error',
            'Det.limit_type': 'max',
            'Det.limit_side_len': WORK_SIZE,
            # One, so that the sums do not depend on the machine; curation runs more workers instead.
            'EngineConfig.onnxruntime.intra_op_num_threads': 1,
            'EngineConfig.onnxruntime.inter_op_num_threads': 1,
        }
    )
