# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Feature lines of the template face, as curves in the face plane.

Head frame: metres, x to the person's left, y up, z out of the face, origin between the ears at the
height of the eyes (:data:`sapiens_synth.skeleton.HEAD_ORIGIN`). Curves are given for the left half
(x >= 0) as (x, y); they run from the middle of the face outwards. Both the mesh, the colours, the
labels and the keypoints are made from these, so they cannot disagree.
"""

from __future__ import annotations

import numpy as np

from sapiens_synth.skeleton import fold

EYE_CENTER = np.array([0.0315, 0.0, 0.0640])
EYE_RADIUS = 0.0138
LID_THICKNESS = 0.0013
INNER_CANTHUS = np.array([0.0192, -0.0018])
OUTER_CANTHUS = np.array([0.0438, 0.0008])

MOUTH_Y = -0.0708
MOUTH_INNER_X = 0.0222
MOUTH_OUTER_X = 0.0252
MOUTH_REST_GAP = 0.0036
"""Opening between the lips of the template mesh; expressions close or widen it."""

IRIS_ANGLE = float(np.arcsin(0.0060 / EYE_RADIUS))


def _arc(a: np.ndarray, b: np.ndarray, height: float, t: np.ndarray, skew: float) -> np.ndarray:
    t = np.asarray(t, float)
    bump = (4 * t * (1 - t)) ** 0.8 * (1 + skew * (t - 0.5))
    out = a + t[..., None] * (b - a)
    out[..., 1] += height * bump
    return out


def upper_lid(t: np.ndarray) -> np.ndarray:
    """Edge of the upper lid against the eyeball; t from inner to outer corner -> (..., 2)."""
    return _arc(INNER_CANTHUS, OUTER_CANTHUS, 0.0064, t, 0.15)


def lower_lid(t: np.ndarray) -> np.ndarray:
    """Edge of the lower lid against the eyeball."""
    return _arc(INNER_CANTHUS, OUTER_CANTHUS, -0.0044, t, 0.45)


def upper_lash(t: np.ndarray) -> np.ndarray:
    """Line where the upper lashes grow, just outside the lid's edge."""
    return _arc(
        np.add(INNER_CANTHUS, [-0.0008, 0]),
        np.add(OUTER_CANTHUS, [0.0010, 0.0003]),
        0.0078,
        t,
        0.15,
    )


def lower_lash(t: np.ndarray) -> np.ndarray:
    """Line where the lower lashes grow."""
    return _arc(
        np.add(INNER_CANTHUS, [-0.0008, 0]),
        np.add(OUTER_CANTHUS, [0.0010, 0.0003]),
        -0.0058,
        t,
        0.45,
    )


def crease(t: np.ndarray) -> np.ndarray:
    """Fold of the upper lid."""
    return _arc(
        np.add(INNER_CANTHUS, [-0.0010, 0.0012]),
        np.add(OUTER_CANTHUS, [0.0030, 0.0018]),
        0.0108,
        t,
        0.2,
    )


def _through(points: list[tuple[float, float]], t: np.ndarray) -> np.ndarray:
    """Smooth curve through (x, y) knots, monotone in x, by Catmull-Rom on the knot index."""
    t = np.asarray(t, float)
    knots = np.array(points)
    padded = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    s = np.clip(t * (len(knots) - 1), 0, len(knots) - 1 - 1e-9)
    i = s.astype(int)
    u = (s - i)[..., None]
    p0, p1, p2, p3 = (padded[i + j] for j in range(4))
    return 0.5 * (
        2 * p1
        + (p2 - p0) * u
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * u**2
        + (3 * p1 - p0 - 3 * p2 + p3) * u**3
    )


def upper_brow(t: np.ndarray) -> np.ndarray:
    """Upper edge of the eyebrow, start (inner) to end."""
    return _through([(0.0110, 0.0205), (0.0250, 0.0262), (0.0400, 0.0272), (0.0560, 0.0195)], t)


def lower_brow(t: np.ndarray) -> np.ndarray:
    """Lower edge of the eyebrow."""
    return _through([(0.0115, 0.0140), (0.0250, 0.0190), (0.0400, 0.0217), (0.0560, 0.0190)], t)


def upper_outer_lip(t: np.ndarray) -> np.ndarray:
    """Vermilion border of the upper lip, from the dip of Cupid's bow to the corner."""
    return _through(
        [
            (0.0, -0.0627),
            (0.0056, -0.0613),
            (0.0120, -0.0638),
            (0.0190, -0.0676),
            (MOUTH_OUTER_X, MOUTH_Y),
        ],
        t,
    )


def lower_outer_lip(t: np.ndarray) -> np.ndarray:
    """Vermilion border of the lower lip, from the middle to the corner."""
    return _through(
        [
            (0.0, -0.0818),
            (0.0070, -0.0814),
            (0.0135, -0.0793),
            (0.0200, -0.0755),
            (MOUTH_OUTER_X, MOUTH_Y),
        ],
        t,
    )


def _inner(t: np.ndarray, sign: int) -> np.ndarray:
    t = np.asarray(t, float)
    x = MOUTH_INNER_X * t
    y = MOUTH_Y + sign * 0.5 * MOUTH_REST_GAP * np.sqrt(np.maximum(1 - t**2, 0)) ** 1.3
    return np.stack([x, y], -1)


def upper_inner_lip(t: np.ndarray) -> np.ndarray:
    """Lower edge of the upper lip, from the middle to the corner."""
    return _inner(t, 1)


def lower_inner_lip(t: np.ndarray) -> np.ndarray:
    """Upper edge of the lower lip."""
    return _inner(t, -1)


def contains(outline: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Even-odd test of points (N, 2) against a closed outline (M, 2) -> bool (N,)."""
    inside = np.zeros(len(points), bool)
    near = (points >= outline.min(0)).all(1) & (points <= outline.max(0)).all(1)
    p = points[near]
    hit = np.zeros(len(p), bool)
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if a[1] == b[1]:
            continue
        cross = (a[1] > p[:, 1]) != (b[1] > p[:, 1])
        hit ^= cross & (p[:, 0] < (b[0] - a[0]) * (p[:, 1] - a[1]) / (b[1] - a[1]) + a[0])
    inside[near] = hit
    return inside


def _between(low: np.ndarray, high: np.ndarray, p: np.ndarray) -> np.ndarray:
    y0 = np.interp(p[:, 0], low[:, 0], low[:, 1])
    y1 = np.interp(p[:, 0], high[:, 0], high[:, 1])
    span = (p[:, 0] >= low[0, 0]) & (p[:, 0] <= low[-1, 0])
    return span & (p[:, 1] >= y0) & (p[:, 1] <= y1)


_T = np.linspace(0, 1, 65)


def in_brow(points: np.ndarray) -> np.ndarray:
    """Mask of face-plane points (N, 2) inside an eyebrow; both sides."""
    p = fold(points)
    return _between(lower_brow(_T), upper_brow(_T), p)


def in_upper_lip(points: np.ndarray) -> np.ndarray:
    """Mask of points (N, 2) on the upper lip."""
    p = fold(points)
    middle = np.array([[0, MOUTH_Y], [MOUTH_OUTER_X, MOUTH_Y]])
    return _between(middle, upper_outer_lip(_T), p)


def in_lower_lip(points: np.ndarray) -> np.ndarray:
    """Mask of points (N, 2) on the lower lip."""
    p = fold(points)
    middle = np.array([[0, MOUTH_Y], [MOUTH_OUTER_X, MOUTH_Y]])
    return _between(lower_outer_lip(_T), middle, p)


def distance_to(curve: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Distance of points (N, 2), folded to the left half, to a sampled curve (M, 2)."""
    p = fold(points)
    return np.sqrt(((p[:, None] - curve[None]) ** 2).sum(-1).min(1))
