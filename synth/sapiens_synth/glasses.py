# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Eyeglasses: frames of tubes, and dark lenses, in the head frame."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sapiens_common.layouts.body_parts import BODY_PART_NAMES
from sapiens_synth import face_curves as fc
from sapiens_synth.meshes import Mesh, both_sides, join

GLASSES = len(BODY_PART_NAMES)
"""Label of glasses in rendered frames: the 28 parts have none for them."""

GLASSES_STYLES = ('round', 'square', 'sunglasses')
# style: half width and half height of a rim, exponent of its outline (1 is an ellipse), radius of the frame; metres.
_STYLE = {
    'round': (0.0225, 0.0215, 1.0, 0.0011),
    'square': (0.0270, 0.0185, 0.55, 0.0017),
    'sunglasses': (0.0280, 0.0225, 0.75, 0.0016),
}
_SIDES = 6  # of a tube


def _surface(x: np.ndarray) -> np.ndarray:
    """How far in front the lenses are at x: they curve around the face."""
    return 0.0935 - 3.2 * x**2


def _tube(path: np.ndarray, radius: float, closed: bool) -> Mesh:
    """A tube around a path (N, 3) that bends little."""
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    # Any vector that is never along the path: forward for rims, up for temples.
    fixed = np.array([0, 0, 1.0]) if closed else np.array([0, 1.0, 0])
    across = np.cross(ahead, fixed)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(ahead, across)
    turn = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    rings = (
        path[:, None]
        + radius * np.cos(turn)[None, :, None] * across[:, None]
        + radius * np.sin(turn)[None, :, None] * other[:, None]
    )
    ids = np.arange(len(path) * _SIDES).reshape(len(path), _SIDES)
    a = ids if closed else ids[:-1]
    b = np.roll(ids, -1, 0) if closed else ids[1:]
    a2, b2 = np.roll(a, -1, 1), np.roll(b, -1, 1)
    faces = np.concatenate([np.stack([a, a2, b2], -1), np.stack([a, b2, b], -1)]).reshape(-1, 3)
    return rings.reshape(-1, 3).astype(np.float32), faces.astype(np.int32)


@lru_cache(maxsize=8)
def glasses_mesh(style: str, detail: float) -> Mesh:
    """Mesh of glasses.

    Args:
        style: One of :data:`GLASSES_STYLES`; only ``sunglasses`` have lenses, which nothing is seen through.
        detail: Spacing against the finest mesh, 1 for close-ups.
    """
    wide, high, power, radius = _STYLE[style]
    turn = np.linspace(0, 2 * np.pi, max(16, int(48 / detail)), endpoint=False)
    cos, sin = np.cos(turn), np.sin(turn)
    x = fc.EYE_CENTER[0] + 0.0015 + wide * np.sign(cos) * np.abs(cos) ** power
    y = fc.EYE_CENTER[1] - 0.003 + high * np.sign(sin) * np.abs(sin) ** power
    rim = np.stack([x, y, _surface(x)], 1)
    hinge = np.array([x.max(), 0.006, _surface(x.max())])
    # Temples pass outside of the head, which is widest before the ears.
    corners = np.array([hinge, [0.0750, 0.007, 0.058], [0.0790, 0.008, -0.012]])
    along = np.linspace(0, 2, 9)
    temple = np.stack([np.interp(along, range(3), axis) for axis in corners.T], 1)
    half = [_tube(rim, radius, closed=True), _tube(temple, radius, closed=False)]
    if style == 'sunglasses':
        centre = np.append(rim[:, :2].mean(0), _surface(rim[:, 0].mean()))
        ids = np.arange(len(rim))
        fan = np.stack([np.full(len(rim), len(rim)), ids, np.roll(ids, -1)], 1)
        half.append((np.vstack([rim, centre]).astype(np.float32), fan.astype(np.int32)))
    # Two thirds of the way up, where the rims are nearest to each other.
    inner = rim[np.argmin(rim[:, 0] - 0.002 * (rim[:, 1] > 0))]
    across = np.linspace(-inner[0], inner[0], 7)
    arch = 0.003 * (1 - (across / inner[0]) ** 2)
    bridge = np.stack([across, inner[1] + 0.004 + arch, np.full(7, inner[2] + 0.001)], 1)
    return join([both_sides(*join(half)), _tube(bridge, radius, closed=False)])
