# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The sculpture of the head: skull, jaw, cheeks, nose and lips as blended primitives (head frame)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sapiens_synth.sdf import Ellipsoid, Field, Primitive, RoundCone, blend, mirrored


def skull() -> list[Primitive]:
    """Cranium, face block and jaw, the ground that the features sit on."""
    mid: list[Primitive] = [
        Ellipsoid((0, 0.034, -0.022), (0.0765, 0.083, 0.096)),
        Ellipsoid((0, 0.020, 0.010), (0.068, 0.068, 0.073), 0.03),
        Ellipsoid((0, -0.040, 0.018), (0.058, 0.072, 0.062), 0.04),
        Ellipsoid((0, -0.068, 0.052), (0.034, 0.034, 0.034), 0.04),
        Ellipsoid((0, -0.101, 0.063), (0.020, 0.013, 0.017), 0.025),
    ]
    left: list[Primitive] = [
        RoundCone((0.048, -0.035, -0.008), (0.041, -0.070, 0.008), 0.018, 0.016, 0.03),
        RoundCone((0.041, -0.070, 0.008), (0.010, -0.099, 0.060), 0.016, 0.013, 0.03),
        Ellipsoid((0.034, -0.052, 0.036), (0.020, 0.030, 0.030), 0.03),
        Ellipsoid((0.043, -0.028, 0.056), (0.019, 0.014, 0.017), 0.03),
        RoundCone((0.010, 0.016, 0.079), (0.047, 0.017, 0.060), 0.0095, 0.0100, 0.02),
    ]
    return [*mid, *left, *mirrored(left)]


def features() -> list[Primitive]:
    """Eye sockets, nose, lips and the groove under them."""
    left: list[Primitive] = [
        Ellipsoid((0.0305, -0.001, 0.094), (0.0165, 0.0105, 0.0165), 0.014, sign=-1),
    ]
    nose: list[Primitive] = [
        RoundCone((0, 0.010, 0.0800), (0, -0.032, 0.1000), 0.0070, 0.0080, 0.014),
        Ellipsoid((0, -0.0385, 0.1015), (0.0098, 0.0088, 0.0095), 0.010),
        RoundCone((0, -0.045, 0.097), (0, -0.051, 0.088), 0.0042, 0.0040, 0.008),
    ]
    wing: list[Primitive] = [
        Ellipsoid((0.0120, -0.0425, 0.0915), (0.0066, 0.0072, 0.0092), 0.006),
        Ellipsoid((0.0062, -0.0490, 0.0955), (0.0036, 0.0034, 0.0052), 0.003, sign=-1),
        # Fold from the wing of the nose to the corner of the mouth.
        RoundCone((0.021, -0.044, 0.092), (0.031, -0.066, 0.084), 0.0050, 0.0060, 0.012, sign=-1),
    ]
    lips: list[Primitive] = [
        RoundCone((0, -0.0658, 0.0870), (0.008, -0.0656, 0.0865), 0.0058, 0.0058, 0.003),
        RoundCone((0.006, -0.0656, 0.0866), (0.0235, -0.0704, 0.0775), 0.0058, 0.0030, 0.003),
        RoundCone((0, -0.0765, 0.0862), (0.009, -0.0760, 0.0852), 0.0068, 0.0062, 0.003),
        RoundCone((0.009, -0.0760, 0.0852), (0.0235, -0.0713, 0.0770), 0.0062, 0.0030, 0.003),
    ]
    groove: list[Primitive] = [
        Ellipsoid((0, -0.0880, 0.0935), (0.0150, 0.0050, 0.0075), 0.010, sign=-1),
        RoundCone((0, -0.054, 0.0945), (0, -0.061, 0.0945), 0.0028, 0.0032, 0.004, sign=-1),
    ]
    return [
        *left, *mirrored(left), *nose, *wing, *mirrored(wing), *lips, *mirrored(lips), *groove,
    ]  # fmt: skip


@lru_cache(maxsize=1)
def head_field() -> Field:
    """Signed distance of the head with its features (head frame)."""
    return blend([*skull(), *features()], margin=0.03)


@lru_cache(maxsize=1)
def skull_field() -> Field:
    """Signed distance of the smooth head without features; what hair and hats rest on."""
    return blend(skull(), margin=0.12)


def trace(
    field: Field, origin: np.ndarray, direction: np.ndarray, reach: float = 0.3
) -> np.ndarray:
    """First surface points along rays, by sphere tracing.

    Args:
        field: Signed distance.
        origin: Start points (N, 3), outside.
        direction: Unit directions (N, 3).
        reach: Length after which a ray gives up; it then stays where it is.

    Returns:
        Points (N, 3).
    """
    travelled = np.zeros(len(origin), np.float32)
    active = np.arange(len(origin))
    for _ in range(90):
        p = origin[active] + travelled[active, None] * direction[active]
        d = np.minimum(field(p), 0.02) * 0.8
        travelled[active] += d
        active = active[(np.abs(d) > 2e-6) & (travelled[active] < reach)]
        if not len(active):
            break
    return origin + travelled[:, None] * direction
