# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Places of all 308 keypoints on the rest model, and how near a surface must be to show them.

Joints (shoulder, knee, knuckles, ...) are the skeleton's joints; they count as visible when the first
surface in front of them is their own limb, no further than the limb and its clothing are thick. Face
points lie on the skin and tolerate millimetres. Fingertips and toes sit half a radius inside the tip,
so that a silhouette does not decide about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sapiens_synth import face_points
from sapiens_synth.body_shape import TOES
from sapiens_synth.head import frontal
from sapiens_synth.skeleton import (
    ARM,
    BONE_ID,
    ELBOW,
    FINGERS,
    HEAD_ORIGIN,
    MIRROR,
    REST,
    SHOULDER,
    WRIST,
    finger_joints,
)

FACE_TOLERANCE = 0.0025
_EYE_TOLERANCE = 0.0010


@dataclass(frozen=True)
class KeypointTemplate:
    """Keypoints on the rest model.

    Attributes:
        rest: World rest places (308, 3), metres.
        depth: Largest distance (308,) between a visible point and the surface in front of it, metres.
        head: Mask (308,) of points in the head's frame (they follow face warps and the head bone).
        eye: Mask (308,) of points on the eyeballs (they follow the gaze).
    """

    rest: np.ndarray
    depth: np.ndarray
    head: np.ndarray
    eye: np.ndarray


def _left_body() -> dict[int, tuple[np.ndarray, float]]:
    """Middle and left points of body, feet, hand and extra groups: id -> (place, depth)."""
    front = np.array([0, 0, 1.0])
    out = {
        5: (SHOULDER, 0.085),
        7: (ELBOW, 0.065),
        9: (REST[BONE_ID['l_thigh']], 0.16),
        11: (REST[BONE_ID['l_shin']], 0.085),
        13: (REST[BONE_ID['l_foot']], 0.065),
        62: (WRIST, 0.045),
        63: (ELBOW - 0.006 * ARM - 0.036 * front, 0.030),
        65: (ELBOW + 0.005 * ARM + 0.034 * front, 0.030),
        67: (SHOULDER + np.array([-0.004, 0.038, 0.014]), 0.060),
        69: (np.array([0, 1.425, -0.020]), 0.095),
        17: (np.array([0.114, 0.034, -0.080]), 0.030),
    }
    for kid, (_, tip, _, radius) in ((15, TOES[0]), (16, TOES[4])):
        out[kid] = (np.add(tip, [0, 0, 0.5 * radius]), 0.030)
    for i, finger in enumerate(FINGERS):
        joints, radii = finger_joints(finger)
        along = (joints[3] - joints[2]) / np.linalg.norm(joints[3] - joints[2])
        joints[3] -= 0.5 * radii[3] * along
        for j in range(4):
            # Knuckles lie in the palm, which is thicker than a finger.
            extra = 0.013 if j == 3 else 0.006
            out[42 + 4 * i + j] = (joints[3 - j], radii[3 - j] + extra)
    return out


@lru_cache(maxsize=8)
def keypoint_template(pupil_ratio: float = 0.45) -> KeypointTemplate:
    """Keypoints of the template person.

    Args:
        pupil_ratio: Radius of the pupil against that of the iris.
    """
    rest = np.full((308, 3), np.nan)
    depth = np.full(308, FACE_TOLERANCE)
    eye = np.zeros(308, bool)
    head = np.zeros(308, bool)

    def put(kid: int, place: np.ndarray, on_head: bool) -> None:
        rest[kid] = place + (HEAD_ORIGIN if on_head else 0)
        head[kid] = on_head

    for kid, (place, reach) in _left_body().items():
        put(kid, place, False)
        depth[kid] = reach
    plane = face_points.left_face_plane_points()
    for kid, place in zip(plane, frontal(np.array(list(plane.values()))), strict=True):
        put(kid, place, True)
    edges = face_points.left_edge_points()
    for kid, place in zip(edges, frontal(np.array(list(edges.values()))), strict=True):
        put(kid, place, True)
    for kid, place in face_points.left_ear_points().items():
        put(kid, place, True)
    for kid, direction in face_points.left_eye_directions(pupil_ratio).items():
        put(kid, face_points.fc.EYE_CENTER + face_points.fc.EYE_RADIUS * direction, True)
        depth[kid] = _EYE_TOLERANCE
        eye[kid] = True
    partner = face_points.flip_partner()
    for kid in np.flatnonzero(np.isnan(rest[:, 0])).tolist():
        other = partner[kid]
        rest[kid] = rest[other] * MIRROR
        depth[kid], head[kid], eye[kid] = depth[other], head[other], eye[other]
    missing = np.flatnonzero(np.isnan(rest).any(1))
    if len(missing):
        raise ValueError(f'keypoints without a place on the template: {missing.tolist()}')
    return KeypointTemplate(rest, depth, head, eye)
