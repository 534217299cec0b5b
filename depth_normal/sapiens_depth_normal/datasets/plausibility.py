# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Whether depth and normals can be a person's: range, side that faces the camera, agreement of the two.

Wrong channel orders, signs and marks for "no surface" pass every check of types and lengths, and then
spoil a training without a word.
"""

from itertools import permutations, product
from pathlib import Path

import numpy as np

from sapiens_depth_normal.geometry import intrinsics_of

from .files import parse_order

LARGEST_RATIO = 100  # farthest to nearest pixel; a person at arm's length spans less than 10
# Share of normals that face the camera; loose hair has 0.95, turned axes about 0.5.
LEAST_FACING = 0.7
GUESSED_FOV = 25.0  # degrees, vertical, where the camera is not known; portraits' lenses
STEP = 3  # pixels; over fewer, noise and strands of hair decide the gradient
PIXELS = 2000  # enough for a median
# An order is called wrong where another is clearly better, and good.
CLEARLY, GOOD = 0.8, 45.0

ORDERS = [
    ''.join(sign + axis for sign, axis in zip(signs, axes, strict=True))
    for axes in permutations('xyz')
    for signs in product(('', '-'), repeat=3)
]
"""All 48 channel orders and signs, in the form of ``read_normal``."""


def check_depth_range(path: str | Path, depth: np.ndarray, mask: np.ndarray) -> None:
    """Check that depth (H, W) spans what a person can: not a mark for "no surface" among distances.

    Raises:
        ValueError: The farthest pixel of the mask is a hundred times as far as the nearest.
    """
    low, high = float(depth[mask].min()), float(depth[mask].max())
    if high > LARGEST_RATIO * low:
        raise ValueError(
            f'depth {path}: the person spans {low:g} to {high:g}, a ratio above {LARGEST_RATIO}; if '
            f"{high:g} stands for 'no surface', set LoadMaps(no_surface=...) to it as the file has it"
        )


def check_normals(
    path: str | Path,
    normals: np.ndarray,
    mask: np.ndarray,
    depth: np.ndarray | None = None,
    intrinsics: np.ndarray | None = None,
) -> None:
    """Check that unit normals (H, W, 3) agree with depth (H, W), if given, and face the camera.

    Raises:
        ValueError: Another order of axes or signs agrees clearly better, or too few face the camera.
    """
    advice = (
        'see channel_order and convention of LoadMaps, or turn off its check with plausible=False'
    )
    if depth is not None:
        angles = angles_by_order(normals, depth, mask, intrinsics)
        best = clearly_better(angles)
        if best:
            raise ValueError(
                f'normal {path}: median angle to the normals of its depth {angles["xyz"]:.0f} degrees, '
                f'but {angles[best]:.0f} if the axes read as x, y, z are {spoken(best)}; {advice}'
            )
    facing = float((normals[mask][:, 2] > 0).mean())
    if facing < LEAST_FACING:
        raise ValueError(
            f'normal {path}: only {facing:.0%} of the normals face the camera (Z above 0); {advice}'
        )


def clearly_better(angles: dict[str, float]) -> str | None:
    """The order that agrees clearly better than the one as read (``xyz``), if there is one."""
    if not angles:
        return None
    best = min(angles, key=angles.__getitem__)
    return best if angles[best] < min(GOOD, CLEARLY * angles['xyz']) else None


def spoken(order: str) -> str:
    """An order for a sentence: ``z-yx`` as ``z, -y, x``."""
    axes = zip(*parse_order(order), strict=True)
    return ', '.join(('-' if sign < 0 else '') + 'xyz'[axis] for axis, sign in axes)


def angles_by_order(
    normals: np.ndarray,
    depth: np.ndarray,
    mask: np.ndarray,
    intrinsics: np.ndarray | None = None,
) -> dict[str, float]:
    """Median angle between normals, for all 48 orders and signs of their axes, and the depth's gradient.

    Args:
        normals: (H, W, 3), as read.
        depth: (H, W), distance from the camera plane; its unit does not matter.
        mask: bool (H, W).
        intrinsics: Camera matrix (3, 3); None takes a field of view of 25 degrees, which changes the
            angles, and hardly their order.

    Returns:
        Degrees by order, of up to 2000 pixels; empty where the mask is too thin for a gradient.
    """
    camera = intrinsics_of(depth.shape, GUESSED_FOV) if intrinsics is None else intrinsics
    if min(mask.shape) <= 2 * STEP:
        return {}
    inner = mask[STEP:-STEP, STEP:-STEP]
    for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
        inner = inner & _shifted(mask, rows, columns)
    row, column = np.nonzero(inner)
    if not len(row):
        return {}
    chosen = np.random.default_rng(0).permutation(len(row))[:PIXELS]
    row, column = row[chosen] + STEP, column[chosen] + STEP

    def points(down: int, right: int) -> np.ndarray:
        y, x = row + down * STEP, column + right * STEP
        far = depth[y, x].astype(np.float64)
        rays = [
            (x - camera[0, 2]) / camera[0, 0],
            (camera[1, 2] - y) / camera[1, 1],
            -np.ones(len(y)),
        ]
        return np.stack(rays, axis=1) * far[:, None]

    expected = np.cross(points(0, 1) - points(0, -1), points(-1, 0) - points(1, 0))
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-12)
    found = normals[row, column].astype(np.float64)
    # Dot products of every order are sums of the nine products of components.
    nine = expected[:, :, None] * found[:, None, :]  # expected axis, axis as read
    angles = {}
    for order in ORDERS:
        axes, signs = parse_order(order)
        cosine = (nine[:, axes, [0, 1, 2]] * signs).sum(axis=1)
        angles[order] = float(np.degrees(np.arccos(np.clip(np.median(cosine), -1, 1))))
    return angles


def _shifted(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The mask's inner part, moved by STEP: 0 up or left, 1 as it is, 2 down or right."""
    height, width = mask.shape
    return mask[
        rows * STEP : height - (2 - rows) * STEP, columns * STEP : width - (2 - columns) * STEP
    ]
