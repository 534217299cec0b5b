# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The sculpture of the body below the head: torso, limbs, hands and feet as blended primitives.

Everything is given for the left side in the frame of :mod:`sapiens_synth.skeleton` and mirrored.
"""

from __future__ import annotations

import numpy as np

from sapiens_synth.sdf import Ellipsoid, Primitive, RoundCone, mirrored
from sapiens_synth.skeleton import ARM, ELBOW, FINGERS, SHOULDER, WRIST, finger_joints, hand_point

_V = tuple[float, float, float]


def _t(p: np.ndarray) -> _V:
    return float(p[0]), float(p[1]), float(p[2])


def torso() -> list[Primitive]:
    """Pelvis to neck, both sides."""
    mid: list[Primitive] = [
        Ellipsoid((0, 0.945, -0.008), (0.162, 0.105, 0.105), tag='pelvis'),
        Ellipsoid((0, 1.075, 0.000), (0.135, 0.150, 0.092), 0.06, tag='spine'),
        Ellipsoid((0, 1.245, -0.012), (0.150, 0.180, 0.108), 0.06, tag='chest'),
        RoundCone((-0.125, 1.365, -0.024), (0.125, 1.365, -0.024), 0.058, 0.058, 0.05, tag='chest'),
        RoundCone((0, 1.40, -0.030), (0, 1.565, -0.012), 0.060, 0.053, 0.05, tag='neck'),
    ]
    left: list[Primitive] = [
        RoundCone((0.035, 1.435, -0.036), (0.135, 1.395, -0.030), 0.036, 0.034, 0.05, tag='chest'),
        Ellipsoid((0.070, 1.300, 0.060), (0.078, 0.062, 0.033), 0.055, tag='chest'),
        Ellipsoid((0.075, 0.915, -0.062), (0.082, 0.090, 0.068), 0.05, tag='pelvis'),
        Ellipsoid((0.118, 1.29, -0.055), (0.045, 0.12, 0.05), 0.05, tag='chest'),
    ]
    return [*mid, *left, *mirrored(left)]


def arm() -> list[Primitive]:
    """Left arm, shoulder to wrist."""

    def on(start: np.ndarray, along: float, front: float = 0.0, out: float = 0.0) -> _V:
        up = np.array([ARM[1], -ARM[0], 0.0])
        return _t(start + along * ARM + front * np.array([0, 0, 1.0]) - out * up)

    return [
        RoundCone(on(SHOULDER, -0.005), on(SHOULDER, 0.10), 0.052, 0.046, 0.04, tag='l_upper_arm'),
        RoundCone(on(SHOULDER, 0.08), _t(ELBOW), 0.045, 0.036, 0.012, tag='l_upper_arm'),
        Ellipsoid(on(SHOULDER, 0.155, 0.014), (0.038, 0.058, 0.034), 0.04, tag='l_upper_arm'),
        Ellipsoid(on(ELBOW, -0.006, -0.022), (0.018, 0.022, 0.014), 0.02, tag='l_forearm'),
        RoundCone(on(ELBOW, 0.0), on(ELBOW, 0.07), 0.035, 0.040, 0.008, tag='l_forearm'),
        RoundCone(on(ELBOW, 0.07), on(WRIST, -0.015), 0.040, 0.0255, 0.010, tag='l_forearm'),
        RoundCone(on(WRIST, -0.02), on(WRIST, 0.012), 0.0250, 0.0245, 0.008, tag='l_forearm'),
        RoundCone(on(WRIST, 0, 0.008), on(WRIST, 0, -0.008), 0.0225, 0.0225, 0.012, tag='l_hand'),
    ]


def hand() -> list[Primitive]:
    """Left hand: palm, thumb and four fingers."""
    out: list[Primitive] = []
    for finger in FINGERS[1:]:
        joints, radii = finger_joints(finger)
        toward = 0.30 * (joints[0] - WRIST) + WRIST
        out.append(RoundCone(_t(toward), _t(joints[0]), 0.0155, 0.0118, 0.022, tag='l_hand'))
    out += [
        Ellipsoid(_t(hand_point(0.040, 0.026, 0.010)), (0.021, 0.028, 0.020), 0.02, tag='l_hand'),
        Ellipsoid(_t(hand_point(0.042, -0.026, 0.008)), (0.017, 0.028, 0.017), 0.02, tag='l_hand'),
    ]
    for finger in FINGERS:
        joints, radii = finger_joints(finger)
        for i in range(3):
            k = 0.012 if i == 0 else 0.004
            a, b = _t(joints[i]), _t(joints[i + 1])
            if i == 2:
                # The last ball ends at the fingertip, not around it.
                b = _t(
                    joints[3]
                    - radii[3] * (joints[3] - joints[2]) / np.linalg.norm(joints[3] - joints[2])
                )
            out.append(RoundCone(a, b, radii[i], radii[i + 1], k, tag=f'l_{finger}{i + 1}'))
    return out


def leg() -> list[Primitive]:
    """Left leg, hip to ankle."""
    return [
        RoundCone((0.090, 0.900, 0.000), (0.100, 0.62, 0.006), 0.084, 0.066, 0.05, tag='l_thigh'),
        RoundCone((0.100, 0.62, 0.006), (0.105, 0.500, 0.008), 0.066, 0.050, 0.012, tag='l_thigh'),
        Ellipsoid((0.100, 0.740, 0.030), (0.058, 0.130, 0.050), 0.04, tag='l_thigh'),
        Ellipsoid((0.105, 0.497, 0.038), (0.024, 0.030, 0.017), 0.02, tag='l_shin'),
        RoundCone((0.105, 0.490, 0.004), (0.113, 0.130, -0.020), 0.049, 0.033, 0.008, tag='l_shin'),
        Ellipsoid((0.108, 0.365, -0.026), (0.045, 0.105, 0.042), 0.04, tag='l_shin'),
        RoundCone((0.113, 0.14, -0.020), (0.115, 0.075, -0.020), 0.033, 0.033, 0.008, tag='l_shin'),
        Ellipsoid((0.140, 0.082, -0.022), (0.014, 0.015, 0.014), 0.02, tag='l_foot'),
        Ellipsoid((0.088, 0.088, -0.016), (0.014, 0.015, 0.014), 0.02, tag='l_foot'),
    ]


TOES: tuple[tuple[_V, _V, float, float], ...] = (
    ((0.116, 0.020, 0.108), (0.119, 0.015, 0.165), 0.0150, 0.0125),
    ((0.138, 0.018, 0.108), (0.143, 0.012, 0.158), 0.0110, 0.0088),
    ((0.153, 0.017, 0.100), (0.159, 0.011, 0.146), 0.0105, 0.0083),
    ((0.166, 0.016, 0.090), (0.173, 0.010, 0.132), 0.0100, 0.0078),
    ((0.177, 0.015, 0.078), (0.185, 0.009, 0.114), 0.0098, 0.0075),
)
"""Left toes, big to small: base, centre of the tip ball, and their radii."""


def foot() -> list[Primitive]:
    """Left foot with five toes."""
    out: list[Primitive] = [
        Ellipsoid((0.114, 0.036, -0.052), (0.032, 0.036, 0.036), 0.03, tag='l_foot'),
        RoundCone((0.115, 0.070, -0.015), (0.130, 0.030, 0.085), 0.034, 0.022, 0.03, tag='l_foot'),
        RoundCone((0.118, 0.030, -0.04), (0.165, 0.022, 0.070), 0.028, 0.020, 0.03, tag='l_foot'),
        RoundCone((0.120, 0.024, 0.095), (0.168, 0.020, 0.070), 0.022, 0.018, 0.03, tag='l_foot'),
    ]
    for a, b, ra, rb in TOES:
        out.append(RoundCone(a, b, ra, rb, 0.005, tag='l_toes'))
    return out


def left_limbs() -> list[Primitive]:
    """All primitives of the left limbs."""
    return [*arm(), *hand(), *leg(), *foot()]


def all_primitives() -> list[Primitive]:
    """Torso and both sides' limbs, in blending order."""
    left = left_limbs()
    return [*torso(), *left, *mirrored(left)]
