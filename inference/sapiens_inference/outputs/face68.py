# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The 68 face points of iBUG, dlib and COCO-WholeBody, inferred from the 238 face points of the 308 layout.

Each is a weighted mean of the 238, with weights that sum to one: so it follows shifts, turns and scales of the face, and
turns in depth as far as a face is flat in perspective. ``tools/data/fit_face68.py`` fits the weights on rendered
faces, of which both layouts are known; docs/pose.md gives its errors. The jaw line, of which the 308 have nothing,
is the weakest.
"""

from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

FACE_IDS = slice(70, 308)
"""Places of the face points among the 308."""
WEIGHTS_FILE = Path(__file__).parents[1] / 'data/face68.safetensors'


@cache
def _weights() -> np.ndarray:
    return load_file(WEIGHTS_FILE)['weights'].astype(np.float64)


def infer_face68(keypoints: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 68 points of a face.

    Args:
        keypoints: (..., 308, 2), any unit.
        scores: (..., 308).

    Returns:
        (..., 68, 2) points, NaN where a face point is NaN, and (..., 68) scores: means of the face points' scores,
        each as heavy as the point counts.
    """
    weights = _weights()
    share = abs(weights) / abs(weights).sum(1, keepdims=True)
    return weights @ keypoints[..., FACE_IDS, :], scores[..., FACE_IDS] @ share.T
