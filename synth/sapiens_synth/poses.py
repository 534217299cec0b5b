# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Random poses in anatomical terms: flexion, abduction, twist, curl."""

from __future__ import annotations

import numpy as np

from sapiens_synth.skeleton import (
    ARM,
    ARM_REST_ANGLE,
    BONE_ID,
    BONES,
    FINGERS,
    MIRROR,
    PALM,
    THUMB,
    X,
    Y,
    Z,
    about,
)

ARM_STYLES = ('hang', 'bent', 'forward', 'side', 'raise', 'reach_face', 'hip')
LEG_STYLES = ('stand', 'walk', 'step', 'sit', 'wide')

_M = np.diag(MIRROR)


def hand_pose(rng: np.random.Generator, pronation: float) -> dict[str, np.ndarray]:
    """Rotations of a left hand and its fingers.

    Args:
        rng: Source of randomness.
        pronation: Turn of the hand about the arm, degrees; forearm and hand take half of it each.
    """
    u = rng.uniform
    out = {
        'hand': about(ARM, 0.5 * pronation)
        @ about(np.cross(ARM, PALM), u(-30, 35))
        @ about(PALM, u(-12, 12)),
    }
    flat = rng.random()
    curl = u(0, 0.15) if flat < 0.3 else (u(0.15, 0.45) if flat < 0.8 else u(0.6, 0.95))
    point = rng.random() < 0.1
    for finger in FINGERS:
        own = np.clip(curl + u(-0.08, 0.10), 0, 1)
        if finger == 'forefinger' and point:
            own = u(0, 0.1)
        spread = u(-3, 4)
        if finger == 'thumb':
            axis = 0.75 * np.cross(ARM, PALM) + 0.65 * PALM
            axis = -axis / np.linalg.norm(axis)
            angles = np.array([u(-8, 14), -own * 28 + u(0, 8), -own * 45 + u(-5, 5)])
        else:
            axis = np.cross(ARM, PALM)
            angles = own * np.array([72.0, 92.0, 60.0]) + [u(-4, 6), u(0, 6), u(0, 6)]
        for i in range(3):
            r = about(axis, angles[i])
            out[f'{finger}{i + 1}'] = about(PALM, spread) @ r if i == 0 else r
    return out


def _arm(rng: np.random.Generator, style: str) -> dict[str, np.ndarray]:
    """Rotations of the bones of a left arm."""
    u = rng.uniform
    horizontal = flex = twist = 0.0
    if style == 'hang':
        abd, flex, elbow, twist = u(9, 24), u(-18, 22), u(4, 40), u(-20, 30)
    elif style == 'bent':
        abd, flex, elbow, twist = u(12, 35), u(-15, 35), u(60, 125), u(-10, 50)
    elif style == 'forward':
        abd, flex, elbow, twist = u(5, 25), u(40, 105), u(5, 90), u(-30, 30)
    elif style == 'side':
        abd, horizontal, elbow, twist = u(55, 100), u(-15, 50), u(0, 80), u(-60, 40)
    elif style == 'raise':
        abd, horizontal, elbow, twist = u(100, 160), u(-5, 35), u(5, 100), u(-40, 20)
    elif style == 'reach_face':
        abd, flex, elbow, twist = u(10, 30), u(35, 65), u(105, 135), u(10, 45)
    elif style == 'hip':
        abd, flex, elbow, twist = u(35, 50), u(-25, -10), u(75, 100), u(60, 85)
    else:
        raise ValueError(f'unknown arm style {style!r}, expected one of {ARM_STYLES}')
    lift = max(0.0, abd - 55) * 0.28
    upper = (
        about(Y, -horizontal)
        @ about(X, -flex)
        @ about(Z, abd - ARM_REST_ANGLE - lift)
        @ about(ARM, twist)
    )
    pronation = u(-40, 50) if style != 'hip' else u(-20, 10)
    return {
        'clavicle': about(Z, lift) @ about(Y, -0.2 * horizontal),
        'upper_arm': upper,
        'forearm': about(np.cross(ARM, THUMB), elbow) @ about(ARM, 0.5 * pronation),
        **hand_pose(rng, pronation),
    }


def _leg(rng: np.random.Generator, style: str) -> dict[str, np.ndarray]:
    """Rotations of the bones of a left leg."""
    u = rng.uniform
    abd, twist = u(-1, 8), u(-5, 18)
    if style == 'stand':
        flex, knee = u(-6, 8), u(0, 10)
    elif style == 'walk':
        flex = u(-25, 35)
        knee = u(5, 20) + max(0.0, -flex) * u(0.2, 1.0)
    elif style == 'step':
        flex, knee = u(25, 75), u(30, 95)
    elif style == 'sit':
        flex, knee, abd = u(72, 92), u(65, 100), u(2, 16)
    elif style == 'wide':
        flex, knee, abd = u(-5, 15), u(0, 20), u(12, 28)
    else:
        raise ValueError(f'unknown leg style {style!r}, expected one of {LEG_STYLES}')
    return {
        'thigh': about(X, -flex) @ about(Z, abd) @ about(Y, twist),
        'shin': about(X, knee),
        'foot': about(X, np.clip(flex - knee, -15, 25) * 0.5 + u(-8, 8)) @ about(Z, -0.6 * abd),
        'toes': about(X, -u(0, 12)),
    }


def sample_pose(rng: np.random.Generator, variety: float = 1.0) -> np.ndarray:
    """Random pose.

    Args:
        rng: Source of randomness.
        variety: 0 stands quietly, 1 uses all styles.

    Returns:
        Rotations (bones, 3, 3) for :func:`sapiens_synth.skeleton.forward_kinematics`.
    """
    out = np.tile(np.eye(3), (len(BONES), 1, 1))
    busy = rng.random() < variety
    arm_p = np.array([0.34, 0.20, 0.15, 0.10, 0.08, 0.05, 0.08]) if busy else np.eye(7)[0]
    leg_p = np.array([0.42, 0.22, 0.10, 0.14, 0.12]) if busy else np.eye(5)[0]
    legs = str(rng.choice(LEG_STYLES, p=leg_p))
    same = rng.random() < 0.45
    first = str(rng.choice(ARM_STYLES, p=arm_p))
    second = first if same else str(rng.choice(ARM_STYLES, p=arm_p))
    for side, style in (('l', first), ('r', second)):
        for name, r in {**_arm(rng, style), **_leg(rng, legs)}.items():
            out[BONE_ID[f'{side}_{name}']] = r if side == 'l' else _M @ r @ _M
        if legs == 'step':
            legs = 'stand'
    s = 1.0 if busy else 0.4
    for name, (bend, turn, tilt) in {
        'spine': (rng.normal(3, 5), rng.normal(0, 5), rng.normal(0, 3)),
        'chest': (rng.normal(2, 5), rng.normal(0, 6), rng.normal(0, 3)),
        'neck': (rng.normal(2, 6), rng.normal(0, 10), rng.normal(0, 4)),
        'head': (rng.normal(-3, 7), rng.normal(0, 12), rng.normal(0, 5)),
    }.items():
        out[BONE_ID[name]] = about(Y, s * turn) @ about(Z, s * tilt) @ about(X, s * bend)
    return out
