# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The bones of the procedural person: rest joints, proportions and forward kinematics.

World frame of the model: metres, +X is the person's left, +Y up, +Z where the person looks. The rest
pose is an A-pose: arms 40 degrees away from the body, palms facing down and inwards, thumbs forward.
The right side is the mirror image of the left one, point by point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MIRROR = np.array([-1.0, 1.0, 1.0])


def fold(points: np.ndarray) -> np.ndarray:
    """Points (N, 2 or 3) with those of the right side mirrored to the left one, float64."""
    folded = np.array(points, float)
    folded[:, 0] = np.abs(folded[:, 0])
    return folded


ARM_REST_ANGLE = 40.0
"""Angle between the upper arm and the vertical in the rest pose, degrees."""

_ANGLE = np.radians(ARM_REST_ANGLE)
ARM = np.array([np.sin(_ANGLE), -np.cos(_ANGLE), 0.0])
"""Unit direction of the left arm at rest."""
PALM = np.array([-np.cos(_ANGLE), -np.sin(_ANGLE), 0.0])
"""Unit normal of the left palm at rest (out of the palm)."""
THUMB = np.array([0.0, 0.0, 1.0])
"""Unit direction from the little finger to the forefinger at rest."""

SHOULDER = np.array([0.172, 1.385, -0.022])
ELBOW = SHOULDER + 0.285 * ARM
WRIST = ELBOW + 0.250 * ARM
HEAD_ORIGIN = np.array([0.0, 1.615, 0.012])
"""Origin of the head's local frame: between the ears, at the height of the eyes."""

FINGERS = ('thumb', 'forefinger', 'middle', 'ring', 'pinky')
# Knuckle in the hand frame (along the arm, towards the thumb, out of the palm), direction angle
# towards the thumb in degrees, phalanx lengths, radii at the four joints. Metres.
_FINGER_SHAPE = {
    'forefinger': (
        (0.088, 0.026, 0.000),
        5.0,
        (0.042, 0.025, 0.020),
        (0.0105, 0.0090, 0.0080, 0.0068),
    ),
    'middle': (
        (0.091, 0.004, -0.002),
        0.5,
        (0.046, 0.029, 0.021),
        (0.0108, 0.0092, 0.0082, 0.0070),
    ),
    'ring': (
        (0.087, -0.017, -0.001),
        -5.0,
        (0.042, 0.027, 0.021),
        (0.0102, 0.0086, 0.0077, 0.0066),
    ),
    'pinky': (
        (0.079, -0.036, 0.002),
        -12.0,
        (0.033, 0.020, 0.018),
        (0.0092, 0.0077, 0.0068, 0.0058),
    ),
}
_THUMB_JOINTS = (
    (0.024, 0.026, 0.010),
    (0.056, 0.050, 0.018),
    (0.084, 0.064, 0.020),
    (0.106, 0.073, 0.020),
)
_THUMB_RADII = (0.0150, 0.0118, 0.0104, 0.0080)


def hand_point(along: float, thumb: float, palm: float) -> np.ndarray:
    """Point (3,) of the left hand given in its frame (metres from the wrist)."""
    return WRIST + along * ARM + thumb * THUMB + palm * PALM


def finger_joints(finger: str) -> tuple[np.ndarray, tuple[float, ...]]:
    """Joints of one left finger, base to tip (4, 3), and the radii there (4)."""
    if finger == 'thumb':
        return np.array([hand_point(*p) for p in _THUMB_JOINTS]), _THUMB_RADII
    knuckle, angle, lengths, radii = _FINGER_SHAPE[finger]
    angle = np.radians(angle)
    direction = np.cos(angle) * ARM + np.sin(angle) * THUMB
    start = hand_point(*knuckle)
    steps = np.concatenate([[0.0], np.cumsum(lengths)])
    return start + steps[:, None] * direction, radii


def _rest_joints() -> dict[str, tuple[str | None, np.ndarray]]:
    joints: dict[str, tuple[str | None, np.ndarray]] = {
        'pelvis': (None, np.array([0.0, 0.95, 0.0])),
        'spine': ('pelvis', np.array([0.0, 1.06, -0.01])),
        'chest': ('spine', np.array([0.0, 1.20, -0.015])),
        'neck': ('chest', np.array([0.0, 1.43, -0.025])),
        'head': ('neck', np.array([0.0, 1.555, -0.010])),
    }
    left: dict[str, tuple[str, np.ndarray]] = {
        'clavicle': ('chest', np.array([0.02, 1.395, 0.0])),
        'upper_arm': ('l_clavicle', SHOULDER),
        'forearm': ('l_upper_arm', ELBOW),
        'hand': ('l_forearm', WRIST),
        'thigh': ('pelvis', np.array([0.09, 0.905, 0.0])),
        'shin': ('l_thigh', np.array([0.105, 0.495, 0.008])),
        'foot': ('l_shin', np.array([0.115, 0.085, -0.020])),
        'toes': ('l_foot', np.array([0.138, 0.022, 0.098])),
    }
    for finger in FINGERS:
        points, _ = finger_joints(finger)
        parent = 'l_hand'
        for i in range(3):
            left[f'{finger}{i + 1}'] = (parent, points[i])
            parent = f'l_{finger}{i + 1}'
    for side in 'lr':
        for name, (parent, point) in left.items():
            other = parent if not parent.startswith('l_') else f'{side}_{parent[2:]}'
            joints[f'{side}_{name}'] = (other, point if side == 'l' else point * MIRROR)
    return joints


_JOINTS = _rest_joints()
BONES: tuple[str, ...] = tuple(_JOINTS)
"""Bone names; parents come before their children."""
BONE_ID: dict[str, int] = {name: i for i, name in enumerate(BONES)}
PARENT: np.ndarray = np.array([-1 if p is None else BONE_ID[p] for p, _ in _JOINTS.values()])
REST: np.ndarray = np.array([p for _, p in _JOINTS.values()])
"""Rest joints (bones, 3), metres."""

# Where each bone points at rest; its length is scaled along this axis, its girth across it.
_AXIS = {
    'pelvis': (0, 1, 0),
    'spine': (0, 1, 0),
    'chest': (0, 1, 0),
    'neck': (0, 1, 0),
    'head': (0, 1, 0),
}


def _bone_axis(name: str) -> np.ndarray:
    side = MIRROR if name.startswith('r_') else np.ones(3)
    part = name[2:] if name[1] == '_' else name
    if name in _AXIS:
        return np.array(_AXIS[name], float)
    if part == 'clavicle':
        return np.array([1.0, 0, 0]) * side
    if part in ('upper_arm', 'forearm', 'hand'):
        return ARM * side
    if part in ('foot', 'toes'):
        return np.array([0.0, 0, 1.0])
    if part in ('thigh', 'shin'):
        return np.array([0.0, -1.0, 0.0])
    finger, i = part[:-1], int(part[-1])
    points, _ = finger_joints(finger)
    axis = points[i] - points[i - 1]
    return axis / np.linalg.norm(axis) * side


AXES: np.ndarray = np.array([_bone_axis(name) for name in BONES])
"""Unit direction of each bone at rest (bones, 3)."""


def rotation(vector: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3), radians (Rodrigues)."""
    vector = np.asarray(vector, float)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector / np.maximum(angle[..., 0], 1e-12), -1, 0)
    zero = np.zeros_like(x)
    k = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


X, Y, Z = np.eye(3)
"""Unit axes: to the person's left, up, to the front."""


def about(axis: np.ndarray, degrees: float) -> np.ndarray:
    """Rotation matrix (3, 3) about a unit axis (3,)."""
    return rotation(np.asarray(axis, float) * np.radians(degrees))


@dataclass
class Proportions:
    """Size of each bone against the template.

    Attributes:
        length: Scale along the bone (bones,).
        girth: Scale across the bone (bones,).
    """

    length: np.ndarray
    girth: np.ndarray

    @classmethod
    def neutral(cls) -> Proportions:
        """The template's own proportions."""
        return cls(np.ones(len(BONES)), np.ones(len(BONES)))


def forward_kinematics(
    rotations: np.ndarray, proportions: Proportions, root: np.ndarray | None = None
) -> np.ndarray:
    """Affine map of every bone from the rest model to the posed, resized person.

    Args:
        rotations: Rotation of each bone against its parent, in rest-pose axes (bones, 3, 3).
        proportions: Bone scales.
        root: Rigid placement (4, 4) of the pelvis in the world; identity keeps the rest place.

    Returns:
        (bones, 3, 4): posed = M[:, :3] @ rest + M[:, 3].
    """
    count = len(BONES)
    orient = np.empty((count, 3, 3))
    place = np.empty((count, 3))
    scale = np.empty((count, 3, 3))
    out = np.empty((count, 3, 4))
    root = np.eye(4) if root is None else root
    for i in range(count):
        along = np.outer(AXES[i], AXES[i])
        scale[i] = proportions.length[i] * along + proportions.girth[i] * (np.eye(3) - along)
        p = PARENT[i]
        if p < 0:
            orient[i] = root[:3, :3] @ rotations[i]
            place[i] = root[:3, :3] @ REST[i] + root[:3, 3]
        else:
            orient[i] = orient[p] @ rotations[i]
            place[i] = place[p] + orient[p] @ scale[p] @ (REST[i] - REST[p])
        linear = orient[i] @ scale[i]
        out[i, :, :3] = linear
        out[i, :, 3] = place[i] - linear @ REST[i]
    return out


def skin(
    points: np.ndarray, bones: np.ndarray, weights: np.ndarray, transforms: np.ndarray
) -> np.ndarray:
    """Linear blend skinning.

    Args:
        points: Rest points (N, 3).
        bones: Bone ids (N, W).
        weights: Weights (N, W), each row sums to 1.
        transforms: Maps of :func:`forward_kinematics` (bones, 3, 4).

    Returns:
        Posed points float32 (N, 3).
    """
    transforms = transforms.astype(np.float32)
    out = np.zeros((len(points), 3), np.float32)
    for j in range(bones.shape[1]):
        used = np.flatnonzero(weights[:, j] > 0)
        m = transforms[bones[used, j]]
        moved = np.einsum('nij,nj->ni', m[:, :, :3], points[used]) + m[:, :, 3]
        out[used] += weights[used, j, None] * moved
    return out
