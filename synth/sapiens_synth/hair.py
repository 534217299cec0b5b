# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Hair styles and hats: shells over the skull, in the head frame."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sapiens_synth.body import smoothstep
from sapiens_synth.head_shape import skull_field
from sapiens_synth.meshes import Mesh, both_sides, clip
from sapiens_synth.sdf import Ellipsoid, Field, Primitive, RoundCone, blend, mirrored, surface_nets

HAIR_STYLES = ('bald', 'buzz', 'short', 'swept', 'bob', 'long', 'bun', 'ponytail', 'afro')
HAT_STYLES = ('cap', 'beanie')

# style: thickness, lowest point behind the ears, extra locks.
_STYLE: dict[str, tuple[float, float]] = {
    'buzz': (0.004, -0.055),
    'short': (0.014, -0.055),
    'swept': (0.020, -0.052),
    'bob': (0.020, -0.060),
    'long': (0.018, -0.060),
    'bun': (0.010, -0.055),
    'ponytail': (0.011, -0.055),
    'afro': (0.052, -0.062),
}


def _locks(style: str) -> list[Primitive]:
    left: list[Primitive] = []
    mid: list[Primitive] = []
    if style == 'bob':
        left = [RoundCone((0.070, 0.03, -0.012), (0.074, -0.075, 0.008), 0.026, 0.018, 0.03)]
        mid = [Ellipsoid((0, -0.035, -0.070), (0.078, 0.060, 0.036), 0.03)]
    elif style == 'long':
        left = [
            RoundCone((0.068, 0.03, -0.016), (0.074, -0.10, -0.005), 0.026, 0.020, 0.03),
            RoundCone((0.074, -0.10, -0.005), (0.085, -0.22, 0.030), 0.020, 0.012, 0.02),
        ]
        mid = [Ellipsoid((0, -0.095, -0.078), (0.082, 0.135, 0.034), 0.03)]
    elif style == 'bun':
        mid = [Ellipsoid((0, 0.095, -0.095), (0.034, 0.032, 0.032), 0.012)]
    elif style == 'ponytail':
        mid = [
            RoundCone((0, 0.055, -0.120), (0, 0.030, -0.150), 0.020, 0.026, 0.01),
            RoundCone((0, 0.030, -0.150), (0, -0.130, -0.135), 0.026, 0.010, 0.01),
        ]
    elif style == 'swept':
        left = [RoundCone((0.015, 0.108, 0.045), (0.045, 0.085, 0.045), 0.016, 0.012, 0.02)]
        mid = [RoundCone((-0.012, 0.106, 0.045), (0.012, 0.106, 0.050), 0.016, 0.018, 0.02)]
    return [*mid, *left, *mirrored(left)]


def hairline(points: np.ndarray) -> np.ndarray:
    """Signed distance-like field (N,) of head-frame points behind (positive) the hairline."""
    y = points[:, 1] + 0.12 * np.abs(points[:, 0])
    front = np.interp(
        y, [-0.2, -0.06, -0.03, 0.0, 0.035, 0.060, 0.072, 0.09],
        [-0.035, -0.035, -0.020, 0.006, 0.034, 0.066, 0.085, 0.30],
    )  # fmt: skip
    return front - points[:, 2]


def _hair_field(style: str) -> Field:
    thickness, low = _STYLE[style]
    skull = skull_field()
    locks = _locks(style)
    extra = blend(locks, margin=0.05) if locks else None

    def field(p: np.ndarray) -> np.ndarray:
        grow = np.minimum(hairline(p), (p[:, 1] - low))
        t = (thickness + 0.003) * smoothstep(-0.004, 0.016 + 0.4 * thickness, grow) - 0.003
        if style == 'afro':
            t = t + 0.002 * np.sin(p @ [310.0, 170, 90]) * np.sin(p @ [-120.0, 260, 210])
        if style in ('short', 'swept'):
            t = t + 0.0016 * np.sin(220 * p[:, 0] + 3 * np.sin(60 * p[:, 2])) * (t > 0)
        d = skull(p) - t
        if extra is not None:
            e = extra(p)
            if style in ('bob', 'long'):
                e = e + 0.0015 * np.sin(260 * p[:, 0] + 120 * p[:, 2])
            d = np.minimum(d, e) - np.maximum(0.02 - np.abs(d - e), 0) ** 2 / 0.08
        return d.astype(np.float32)

    return field


@lru_cache(maxsize=32)
def hair_mesh(style: str, cell: float) -> Mesh:
    """Mesh of a hair style.

    Args:
        style: One of :data:`HAIR_STYLES` except ``bald``.
        cell: Sampling, metres.
    """
    field = _hair_field(style)
    low, high = (-2 * cell, -0.26, -0.20), (0.16, 0.19, 0.15)
    v, f = surface_nets(field, low, high, cell, polish=1)
    v, f = clip(v, f, v[:, 0])
    # What lies under the skin is never seen.
    v, f = clip(v, f, skull_field()(v) + 0.0026)
    return both_sides(v, f, weld=True)


@lru_cache(maxsize=8)
def hat_mesh(style: str, cell: float) -> Mesh:
    """Mesh of a hat, worn over short hair; ``style`` is one of :data:`HAT_STYLES`."""
    skull = skull_field()
    if style == 'cap':
        brim = blend([Ellipsoid((0, 0.058, 0.105), (0.068, 0.006, 0.062), 0.0)], margin=0.05)

        def field(p: np.ndarray) -> np.ndarray:
            q = p.copy()
            # The brim bends down at its sides.
            q[:, 1] += 3.2 * q[:, 0] ** 2
            crown = np.maximum(skull(p) - 0.025, 0.050 - 0.10 * p[:, 2] - p[:, 1])
            return np.minimum(crown, brim(q)).astype(np.float32)

        edge = -1.0
    else:

        def field(p: np.ndarray) -> np.ndarray:
            lump = 0.0015 * np.sin(330 * np.arctan2(p[:, 0], p[:, 2] + 0.02) * 0.07)
            fold = 0.004 * smoothstep(0.075, 0.068, p[:, 1] - 0.3 * p[:, 2])
            return (skull(p) - 0.025 - fold - lump).astype(np.float32)

        edge = 0.035
    v, f = surface_nets(field, (-2 * cell, 0.0, -0.18), (0.14, 0.17, 0.19), cell, polish=1)
    v, f = clip(v, f, v[:, 0])
    if edge > 0:
        v, f = clip(v, f, v[:, 1] - edge - 0.15 * v[:, 2])
    return both_sides(v, f, weld=True)
