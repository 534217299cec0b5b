# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The five usual errors of an alpha matte, on whole pictures or in a region of them.

Definitions: Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009.
Alphas are in [0, 1]; sums are reported in thousands, as in the papers.
"""

from itertools import pairwise

import cv2
import numpy as np

GRADIENT_SIGMA = 1.4  # pixels
CONNECTIVITY_STEP, CONNECTIVITY_TOLERANCE = 0.1, 0.15
ROUNDING = 1e-6  # of float32 alphas, which must not part pixels at a step


def alpha_errors(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Per-pixel errors of an alpha (H, W) whose sums and means the measures are.

    Returns:
        float64 (4, H, W): absolute difference, squared difference, gradient error, connectivity error.
    """
    pred, truth = pred.astype(np.float64), truth.astype(np.float64)
    difference = pred - truth
    return np.stack(
        [
            np.abs(difference),
            difference**2,
            (gradient_magnitude(pred) - gradient_magnitude(truth)) ** 2,
            connectivity_error(pred, truth),
        ]
    )


def summarize_errors(errors: np.ndarray, region: np.ndarray) -> dict[str, float]:
    """SAD, MSE, MAD, gradient and connectivity of per-pixel errors (4, H, W) in a region bool (H, W)."""
    inside = errors[:, region]
    sums = inside.sum(axis=1)
    return {
        'sad': float(sums[0] / 1000),
        'mse': float(sums[1] / inside.shape[1]),
        'mad': float(sums[0] / inside.shape[1]),
        'gradient': float(sums[2] / 1000),
        'connectivity': float(sums[3] / 1000),
    }


def gradient_magnitude(alpha: np.ndarray) -> np.ndarray:
    """Length of the gradient of a Gaussian (sigma 1.4) of an alpha (H, W); filters of unit energy."""
    radius = int(
        np.ceil(GRADIENT_SIGMA * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * GRADIENT_SIGMA * 0.01)))
    )
    x = np.arange(-radius, radius + 1)
    smooth = np.exp(-(x**2) / (2 * GRADIENT_SIGMA**2))
    slope = x * smooth
    scale = np.linalg.norm(slope) * np.linalg.norm(smooth)  # of the two-dimensional filter
    across, down = (
        cv2.sepFilter2D(alpha, cv2.CV_64F, row / scale, column, borderType=cv2.BORDER_REPLICATE)
        for row, column in ((slope, smooth), (smooth, slope))
    )
    return np.hypot(across, down)


def connectivity_error(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How differently pixels hang together with the common solid part, (H, W) in [0, 1].

    Of each pixel the highest level counts (in steps of 0.1) at which it is still in the largest region, 4
    neighbours each, where both alphas reach that level; what exceeds the level by 0.15 or more is unconnected.
    """
    level = np.full(pred.shape, -1.0)
    steps = np.arange(0, 1 + CONNECTIVITY_STEP / 2, CONNECTIVITY_STEP)
    for below, step in pairwise(steps):
        both = ((pred >= step - ROUNDING) & (truth >= step - ROUNDING)).astype(np.uint8)
        _, regions, stats, _ = cv2.connectedComponentsWithStats(both, connectivity=4)
        areas = stats[1:, cv2.CC_STAT_AREA]  # 0 is the background
        largest = regions == 1 + areas.argmax() if len(areas) else np.zeros(pred.shape, bool)
        level[(level < 0) & ~largest] = below
    level[level < 0] = 1

    def connected(alpha: np.ndarray) -> np.ndarray:
        excess = alpha - level
        return 1 - np.where(excess >= CONNECTIVITY_TOLERANCE, excess, 0)

    return np.abs(connected(pred) - connected(truth))
