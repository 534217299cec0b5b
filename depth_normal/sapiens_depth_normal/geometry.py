# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Public helpers on depth and normal maps: alignment, units, conventions, points, normals from depth.

Camera coordinates of this suite are right-handed: X to the right of the image, Y up, Z from the
scene towards the camera (OpenGL's). Depth is the distance from the camera plane along -Z.
"""

from typing import NamedTuple

import numpy as np

# Signs that turn (X, Y, Z) of this suite into another library's camera coordinates, and back.
CONVENTIONS = {
    'opengl': (1, 1, 1),  # this suite, the published weights
    'opencv': (1, -1, -1),
}


AXES = {
    'opengl': 'X right, Y up, Z to the camera',
    'opencv': 'X right, Y down, Z away from the camera',
}

DEPTH_UNIT = 'relative, without unit: 0 is the nearest point of the person, 1 the farthest'


class Alignment(NamedTuple):
    """A relative depth map brought to a reference's unit.

    Attributes:
        depth: float32 (H, W), in the reference's unit (metres if the reference is in metres).
        scale: Factor that was fitted.
        shift: Offset that was fitted; in the reference's unit, or its inverse for ``space='inverse'``.
    """

    depth: np.ndarray
    scale: float
    shift: float


def align_depth(
    pred: np.ndarray, reference: np.ndarray, mask: np.ndarray, space: str = 'depth'
) -> Alignment:
    """Fit ``scale * pred + shift`` to a reference depth by least squares on the masked pixels.

    >>> reference = np.array([[2.0, 3.0], [4.0, 9.0]])
    >>> mask = np.array([[True, True], [True, False]])
    >>> align_depth((reference - 2) / 10, reference, mask).depth
    array([[2., 3.],
           [4., 9.]], dtype=float32)

    Args:
        pred: Relative depth (H, W), any scale and offset.
        reference: Depth (H, W) in the wanted unit, for example metres from a sensor; read where the
            mask holds only.
        mask: (H, W), true or positive on the pixels to fit (the person).
        space: ``depth`` fits the reference itself; ``inverse`` fits one over it, for predictions that
            are relative inverse depth (disparity). There the result is limited to the range
            from a tenth of the smallest to ten times the largest reference depth, because a fitted
            inverse depth may cross zero.

    Returns:
        The aligned depth of the whole image, with the two fitted numbers. Off the mask it is
        extrapolated.

    Raises:
        ValueError: Shapes differ, unknown space, fewer than two pixels in the mask, a value that is not
            finite on them, or a reference that is not positive with ``space='inverse'``.
    """
    mask = np.asarray(mask) > 0
    if not pred.shape == reference.shape == mask.shape:
        raise ValueError(
            f'pred {pred.shape}, reference {reference.shape} and mask {mask.shape} must have '
            'the same (height, width); resize the prediction to the reference first'
        )
    if space not in ('depth', 'inverse'):
        raise ValueError(f"space {space!r} is neither 'depth' nor 'inverse'")
    x, y = pred[mask].astype(np.float64), reference[mask].astype(np.float64)
    if x.size < 2:
        raise ValueError(f'the mask has {x.size} pixels; scale and shift need two at least')
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError('pred or reference is not finite on the mask; shrink the mask')
    low, high = y.min(), y.max()
    if space == 'inverse':
        if low <= 0:
            raise ValueError(f'inverse depth needs a positive reference, got {low} on the mask')
        y = 1 / y
    spread = x.var()
    # A constant prediction fits any scale; the mean of the reference is then the best answer.
    scale = float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 0 else 0.0
    shift = float(y.mean() - scale * x.mean())
    depth = scale * pred.astype(np.float64) + shift
    if space == 'inverse':
        depth = 1 / depth.clip(0.1 / high, 10 / low)
    return Alignment(depth.astype(np.float32), scale, shift)


def convert_normals(normals: np.ndarray, to: str) -> np.ndarray:
    """Convert normals between this suite's camera coordinates and another convention.

    The same call converts back, since every conversion only changes signs; where none changes, the
    same array is returned.

    Args:
        normals: (..., 3), XYZ.
        to: A key of :data:`CONVENTIONS`.

    Raises:
        ValueError: Unknown convention.
    """
    if to not in CONVENTIONS:
        raise ValueError(f'convention {to!r} is not one of {list(CONVENTIONS)}')
    signs = np.asarray(CONVENTIONS[to], normals.dtype)
    return normals if (signs == 1).all() else normals * signs


def intrinsics_of(size: tuple[int, int], fov: float) -> np.ndarray:
    """Pinhole matrix (3, 3) in pixels of an image of (height, width) with square pixels.

    Args:
        size: (height, width).
        fov: Vertical field of view in degrees; the optical axis passes through the middle.
    """
    height, width = size
    focal = height / (2 * np.tan(np.radians(fov) / 2))
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def depth_to_points(depth: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Unproject a depth map to points in camera coordinates (X right, Y up, Z to the camera).

    Args:
        depth: (H, W), distance from the camera plane, in any unit.
        intrinsics: Pinhole matrix (3, 3) in pixels; the middle of the top-left pixel is (0, 0), OpenCV's way.

    Returns:
        float32 (H, W, 3) in the depth's unit; Z is minus the depth.
    """
    rows, columns = np.indices(depth.shape)
    x = (columns - intrinsics[0, 2]) / intrinsics[0, 0] * depth
    y = (intrinsics[1, 2] - rows) / intrinsics[1, 1] * depth
    return np.stack([x, y, -depth], axis=-1).astype(np.float32)


def depth_to_normals(
    depth: np.ndarray, intrinsics: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Normals of the surface a depth map describes, by central differences.

    Depth must be proportional to true depth: with a relative map align it first (:func:`align_depth`).

    Args:
        depth: (H, W), positive.
        intrinsics: Pinhole matrix (3, 3) in pixels.
        mask: (H, W); elsewhere, and beside its border, where differences would reach over it, normals
            are zero. None takes all pixels.

    Returns:
        float32 (H, W, 3), unit vectors (X right, Y up, Z to the camera), or zero where undefined.
    """
    valid = np.ones(depth.shape, bool) if mask is None else np.asarray(mask) > 0
    points = depth_to_points(np.where(valid, depth, 0), intrinsics).astype(np.float64)
    normals = np.zeros(points.shape)
    right = points[1:-1, 2:] - points[1:-1, :-2]
    up = points[:-2, 1:-1] - points[2:, 1:-1]
    normals[1:-1, 1:-1] = np.cross(right, up)
    inside = np.zeros(depth.shape, bool)
    inside[1:-1, 1:-1] = (
        valid[1:-1, 1:-1] & valid[1:-1, 2:] & valid[1:-1, :-2] & valid[:-2, 1:-1] & valid[2:, 1:-1]
    )
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    normals = np.where(inside[..., None] & (length > 0), normals / np.where(length, length, 1), 0)
    return normals.astype(np.float32)
