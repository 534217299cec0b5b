# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Whole-body poses of people who do something: sit, crouch, run, bend, lie, reach up.

Unlike :mod:`sapiens_synth.poses`, which draws arms and legs that hang from an upright trunk, an activity
leans the whole body and says where thighs point in the world, so that hips follow the trunk's lean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sapiens_synth.poses import hand_pose
from sapiens_synth.skeleton import (
    ARM,
    ARM_REST_ANGLE,
    BONE_ID,
    BONES,
    MIRROR,
    THUMB,
    X,
    Y,
    Z,
    about,
)

Range = tuple[float, float]
_M = np.diag(MIRROR)


@dataclass(frozen=True)
class Legs:
    """Ranges in degrees for one leg, or for both.

    Attributes:
        flex: The thigh forwards against the vertical, in the world.
        knee: The knee.
        spread: The thigh outwards.
        turn: The thigh about itself, toes outwards.
    """

    flex: Range
    knee: Range
    spread: Range = (-2, 10)
    turn: Range = (-5, 18)


@dataclass(frozen=True)
class Activity:
    """Ranges in degrees of a kind of pose.

    Attributes:
        share: How often, against the others.
        lean: The trunk forwards.
        bend: The spine forwards, beyond the lean.
        legs: Both legs, or the first and the other (sides are drawn).
        arms: Arm styles to draw from.
        seat: Whether the person sits on something.
        lying: Whether the body is turned to lie.
    """

    share: float
    lean: Range
    bend: Range
    legs: tuple[Legs, ...]
    arms: tuple[str, ...]
    seat: bool = False
    lying: bool = False


_ANY = ('hang', 'bent', 'front', 'side', 'up', 'face', 'lap', 'hip', 'across', 'free')
ACTIVITIES: dict[str, Activity] = {
    'stand': Activity(20, (-6, 12), (-4, 14), (Legs((-8, 12), (0, 14)),), _ANY),
    'lively': Activity(
        12, (-8, 18), (-8, 20),
        (Legs((-12, 45), (0, 60), (0, 25)), Legs((-30, 15), (0, 25), (0, 20))),
        ('free', 'up', 'side', 'front', 'bent'),
    ),
    'walk': Activity(9, (-2, 14), (-2, 10), (Legs((12, 38), (2, 28)), Legs((-30, -5), (5, 45))), ('hang', 'swing', 'bent', 'free')),
    'run': Activity(9, (2, 28), (-4, 14), (Legs((25, 95), (35, 120)), Legs((-40, 12), (5, 110))), ('swing', 'bent', 'free')),
    'sport': Activity(
        12, (12, 55), (0, 25), (Legs((15, 70), (15, 75), (2, 35)), Legs((-15, 70), (15, 80), (2, 35))),
        ('front', 'swing', 'across', 'free', 'side', 'up', 'lap'),
    ),
    'sit': Activity(
        14, (-20, 30), (-4, 26), (Legs((62, 105), (35, 115), (0, 26)), Legs((62, 105), (35, 115), (0, 26))),
        ('lap', 'lap', 'bent', 'front', 'face', 'across', 'free', 'hang'), seat=True,
    ),
    'squat': Activity(
        7, (10, 60), (0, 35), (Legs((70, 125), (85, 145), (5, 40)), Legs((60, 125), (85, 145), (5, 40))),
        ('lap', 'front', 'hang', 'free', 'across', 'face'),
    ),
    'kneel': Activity(4, (-5, 45), (0, 25), (Legs((-10, 45), (85, 140), (0, 25)), Legs((-5, 105), (80, 130), (0, 25))), _ANY),
    'bow': Activity(7, (35, 100), (8, 45), (Legs((-15, 30), (0, 35), (0, 22)), Legs((-15, 40), (0, 50), (0, 22))), ('hang', 'front', 'lap', 'free', 'reach')),
    'floor': Activity(4, (-35, 25), (0, 30), (Legs((65, 100), (0, 125), (0, 45), (-10, 50)), Legs((65, 100), (0, 125), (0, 45), (-10, 50))), ('lap', 'hang', 'front', 'free', 'face')),
    'jump': Activity(4, (-25, 35), (-15, 25), (Legs((-35, 95), (0, 110), (0, 55)), Legs((-35, 95), (0, 110), (0, 55))), ('up', 'side', 'free', 'front')),
    'lie': Activity(8, (-15, 15), (-10, 25), (Legs((-10, 60), (0, 90), (0, 30)), Legs((-10, 60), (0, 90), (0, 30))), _ANY, lying=True),
}  # fmt: skip


def _arm(rng: np.random.Generator, style: str, lean: float) -> dict[str, np.ndarray]:
    """Rotations of a left arm; ``lean`` is taken off the flexion, so that arms hang in the world."""
    u = rng.uniform
    across = 0.0
    if style == 'hang':
        spread, flex, elbow, twist = u(4, 24), u(-20, 25), u(2, 40), u(-25, 35)
        flex += rng.uniform(0.3, 1) * lean
    elif style == 'bent':
        spread, flex, elbow, twist = u(8, 40), u(-25, 45), u(50, 135), u(-20, 60)
    elif style == 'front':
        spread, flex, elbow, twist = u(0, 30), u(35, 110), u(0, 90), u(-40, 40)
        flex += rng.uniform(0, 0.5) * lean
    elif style == 'side':
        spread, flex, elbow, twist = u(50, 110), 0.0, u(0, 90), u(-70, 45)
        across = u(-25, 55)
    elif style == 'up':
        spread, flex, elbow, twist = u(115, 178), 0.0, u(0, 105), u(-50, 30)
        across = u(-15, 45)
    elif style == 'face':
        spread, flex, elbow, twist = u(5, 40), u(30, 85), u(95, 145), u(-10, 55)
    elif style == 'lap':
        spread, flex, elbow, twist = u(2, 28), u(5, 60), u(15, 95), u(-5, 60)
    elif style == 'hip':
        spread, flex, elbow, twist = u(30, 55), u(-30, -5), u(65, 110), u(55, 90)
    elif style == 'across':
        spread, flex, elbow, twist = u(10, 60), u(15, 85), u(30, 125), u(20, 75)
        across = u(10, 50)
    elif style == 'reach':
        spread, flex, elbow, twist = u(5, 30), u(60, 150), u(0, 45), u(-40, 40)
    elif style == 'swing':
        spread, flex, elbow, twist = u(4, 30), u(-60, 75), u(45, 120), u(-15, 35)
    elif style == 'free':
        spread, flex, elbow, twist = u(0, 150), u(-45, 120), u(0, 145), u(-80, 80)
        across = u(-30, 60)
    else:
        raise ValueError(f'unknown arm style {style!r}')
    lift = max(0.0, spread - 55) * 0.28
    pronation = u(-50, 60)
    return {
        'clavicle': about(Z, lift) @ about(Y, -0.2 * across),
        'upper_arm': about(Y, -across)
        @ about(X, -flex)
        @ about(Z, spread - ARM_REST_ANGLE - lift)
        @ about(ARM, twist),
        'forearm': about(np.cross(ARM, THUMB), elbow) @ about(ARM, 0.5 * pronation),
        **hand_pose(rng, pronation),
    }


def _leg(rng: np.random.Generator, legs: Legs, lean: float) -> dict[str, np.ndarray]:
    u = rng.uniform
    flex, knee = u(*legs.flex) + lean, u(*legs.knee)
    spread = u(*legs.spread)
    # The sole stays near level while the shin allows; in the air it hangs.
    level = np.clip(flex - lean - knee, -35, 30) * u(-0.1, 1.0)
    return {
        'thigh': about(X, -min(flex, 140)) @ about(Z, spread) @ about(Y, u(*legs.turn)),
        'shin': about(X, knee),
        'foot': about(X, level * 0.6 + u(-12, 14)) @ about(Z, -0.5 * spread),
        'toes': about(X, -u(0, 15)),
    }


def sample_activity(rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Random pose of someone who does something.

    Returns:
        Rotations (bones, 3, 3) for :func:`sapiens_synth.skeleton.forward_kinematics`, whose pelvis carries
        the lean of the body, and the name in :data:`ACTIVITIES`.
    """
    names = list(ACTIVITIES)
    shares = np.array([ACTIVITIES[name].share for name in names])
    name = str(rng.choice(names, p=shares / shares.sum()))
    activity = ACTIVITIES[name]
    lean, bend = rng.uniform(*activity.lean), rng.uniform(*activity.bend)
    out = np.tile(np.eye(3), (len(BONES), 1, 1))
    first = 'lr'[int(rng.integers(2))]
    arms = [str(v) for v in rng.choice(activity.arms, 2)]
    if rng.random() < 0.4:
        arms[1] = arms[0]
    for side in 'lr':
        legs = activity.legs[0 if side == first else -1]
        bones = {**_arm(rng, arms['lr'.index(side)], lean + bend), **_leg(rng, legs, lean)}
        for bone, r in bones.items():
            out[BONE_ID[f'{side}_{bone}']] = r if side == 'l' else _M @ r @ _M
    n = rng.normal
    turn, tilt = n(0, 14), n(0, 7)
    for bone, share in (('spine', 0.55), ('chest', 0.45)):
        out[BONE_ID[bone]] = (
            about(Y, share * turn) @ about(Z, share * tilt) @ about(X, share * bend)
        )
    # Heads look up again from a bent trunk, more or less.
    lift = rng.uniform(-0.15, 0.75) * np.clip(lean + bend, -20, 80)
    for bone, share in (('neck', 0.45), ('head', 0.55)):
        out[BONE_ID[bone]] = (
            about(Y, share * n(0, 26))
            @ about(Z, share * n(0, 10))
            @ about(X, share * (n(2, 12) - lift))
        )
    body = about(Y, n(0, 6)) @ about(Z, n(0, 5)) @ about(X, lean)
    if activity.lying:
        # On the back, the front or a side, turned about the vertical.
        roll = rng.choice([-90.0, 90.0, 0.0, 180.0]) + n(0, 15)
        body = about(Y, rng.uniform(-180, 180)) @ about(X, -90 + n(0, 8)) @ about(Y, roll) @ body
    out[BONE_ID['pelvis']] = body
    return out, name
