# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The outer ear: a relief over an outline in the ear's own plane, with its named points.

Plane of the left ear, millimetres: u towards the face, v up, w out of the ear. The 26 named points are
places on the relief (helix, antihelix with its two crura, tragus, antitragus, concha, lobe).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sapiens_synth.head_shape import head_field, trace
from sapiens_synth.meshes import Mesh

# From the upper root over the helix and down to the lobe's root; the rest is the attached edge.
_RIM = [
    (13, 17), (11, 23), (6, 28), (-1, 30), (-9, 27.5), (-14.5, 20.5), (-17, 11), (-16.5, 0),
    (-13.5, -11), (-9.5, -20), (-5.5, -27), (-1, -30.6), (4, -30.5), (9, -27),
]  # fmt: skip
_ROOT = [(10.5, -18), (12.5, -8), (13.5, 3), (13.5, 11)]

# Keypoint id of the left ear -> place (u, v).
EAR_POINTS: dict[int, tuple[float, float]] = {
    220: (6.0, 12.5),  # top end of the inferior crus
    221: (-3.0, 17.5),  # top end of the superior crus
    222: (-4.0, -12.5),  # start of the antihelix, at the antitragus
    223: (-5.0, 7.5),  # end of the antihelix, where it forks
    224: (-8.0, -2.0),
    225: (0.5, 10.2),
    226: (-6.8, -8.0),
    227: (-7.2, 3.0),
    228: (8.3, 20.5),
    229: (1.5, 25.0),
    230: (-6.5, 23.0),
    231: (-11.4, 15.8),
    232: (-13.2, 6.5),
    233: (-12.4, -3.5),
    234: (-9.5, -13.5),
    235: (0.5, -14.5),  # antitragus
    236: (7.5, -11.0),
    237: (4.6, -5.5),
    238: (8.3, -0.5),
    239: (7.0, 4.0),  # crus of the helix
    240: (-0.8, -5.5),  # concha
    241: (1.0, -30.2),  # tip of the lobe
    242: (-5.0, -22.5),
    243: (8.6, -26.3),
    244: (12.3, 17.0),
    245: (10.3, 12.5),
}
"""Our reading of the names; the numbered points 1..8 of the inner helix run from the front over the
top to the lower back, except that the published flip partners make 8 the one next to the crus."""


def _dense(points: list[tuple[float, float]], count: int, closed: bool = False) -> np.ndarray:
    p = np.array([*points, points[0]] if closed else points, float)
    s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(p, axis=0), axis=1))])
    t = np.linspace(0, s[-1], count, endpoint=not closed)
    return np.stack([np.interp(t, s, p[:, i]) for i in (0, 1)], 1)


def _gap(curve: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.sqrt(((p[:, None] - curve[None]) ** 2).sum(-1).min(1))


def relief(p: np.ndarray) -> np.ndarray:
    """Height (N,) of the ear's front over its plane at places (N, 2), millimetres."""
    rim = _gap(_dense(_RIM, 80), p)
    stem = _dense([(-4, -12.5), (-6.8, -8), (-8, -2), (-7.2, 3), (-5, 7.5), (-3, 17.5)], 50)
    fork = _dense([(-5, 7.5), (0.5, 10.2), (6, 12.5)], 25)
    crus = _dense([(-1, 1.5), (7, 4), (11, 9)], 25)
    upper = np.clip((p[:, 1] + 26) / 14, 0, 1)
    w = 2.2 + 4.2 * upper * np.exp(-(((rim - 2.0) / 1.9) ** 2))
    w += 3.6 * np.exp(-((_gap(stem, p) / 2.5) ** 2)) + 2.2 * np.exp(-((_gap(fork, p) / 2.0) ** 2))
    w += 2.0 * np.exp(-((_gap(crus, p) / 1.8) ** 2))
    for (u, v), height, width in (
        ((5.6, -5.5), 4.5, 2.6),
        ((0.5, -14.5), 3.2, 2.6),
        ((0.5, -5.0), -4.6, 5.5),
        ((2.0, 6.0), -2.0, 3.5),
        ((0.5, -23), 1.5, 5.0),
    ):
        w += height * np.exp(-(((p[:, 0] - u) ** 2 + (p[:, 1] - v) ** 2) / width**2))
    return w


@lru_cache(maxsize=1)
def ear_frame() -> np.ndarray:
    """Map (3, 4) from the ear's (u, v, w) in millimetres to the head frame in metres (left ear)."""
    w = np.array([0.86, 0.06, 0.50])
    w /= np.linalg.norm(w)
    v = np.array([0.0, 0.985, -0.17])
    v -= (v @ w) * w
    v /= np.linalg.norm(v)
    u = np.cross(w, v)  # seen from outside the face is on the left: a left-handed frame
    # Put the attached edge a little under the skin.
    start = np.array([[0.2, -0.010, 0.000]], np.float32)
    skin = trace(head_field(), start, np.array([[-1, 0, 0]], np.float32))[0]
    frame = np.stack([u, v, w], 1) * 1e-3
    origin = skin - frame @ np.array([12.0, 2.0, 1.0])
    return np.concatenate([frame, origin[:, None]], 1)


def ear_to_head(points: np.ndarray) -> np.ndarray:
    """(N, 3) ear millimetres -> (N, 3) head metres, left ear."""
    m = ear_frame()
    return points @ m[:, :3].T + m[:, 3]


def ear_points() -> dict[int, np.ndarray]:
    """Left ear keypoints in the head frame, by id."""
    uv = np.array(list(EAR_POINTS.values()))
    xyz = ear_to_head(np.column_stack([uv, relief(uv)]))
    return dict(zip(EAR_POINTS, xyz, strict=True))


@lru_cache(maxsize=4)
def ear_mesh(detail: float) -> Mesh:
    """Left ear in the head frame: relief in front, a smooth shell behind."""
    n, rings = max(20, int(72 / detail)), max(5, int(20 / detail))
    outline = _dense([*_RIM, *_ROOT], n, closed=True)
    centre = np.array([-0.5, 0.0])
    s = np.linspace(0, 1, rings + 1)[1:] ** 0.9
    grid = centre + s[:, None, None] * (outline - centre)
    flat = np.vstack([centre, grid.reshape(-1, 2)])
    front = np.column_stack([flat, relief(flat)])
    rounded = np.concatenate([[0], np.repeat(s, n)])
    front[:, 2] -= np.where(rounded > 0.97, 1.0, 0)
    back = np.column_stack(
        [flat * [0.95, 0.96], -4.5 * np.sqrt(np.maximum(1 - rounded**2, 0)) + 0.5]
    )
    v = np.vstack([front, back])
    ids = 1 + np.arange(rings * n).reshape(rings, n)
    faces = [np.stack([np.zeros(n, int), ids[0], np.roll(ids[0], -1)], 1)]
    for i in range(rings - 1):
        a, b = ids[i], ids[i + 1]
        a2, b2 = np.roll(a, -1), np.roll(b, -1)
        faces += [np.stack([a, b, b2], 1), np.stack([a, b2, a2], 1)]
    f = np.concatenate(faces)
    half = len(front)
    a, b = ids[-1], ids[-1] + half
    a2, b2 = np.roll(a, -1), np.roll(b, -1)
    side = np.concatenate([np.stack([a, b, b2], 1), np.stack([a, b2, a2], 1)])
    f = np.concatenate([f, f[:, ::-1] + half, side])
    return ear_to_head(v).astype(np.float32), f[:, ::-1].astype(np.int32)
