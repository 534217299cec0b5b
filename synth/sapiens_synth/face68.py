# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The 68 face points of iBUG, dlib and COCO-WholeBody on the template head, and random faces with both layouts.

The 68 go around the jaw from the image's left to its right (for a person who faces the camera), then along both
brows, down and around the nose, around both eyes and lips. As in :mod:`face_points` the left side is written
down. Annotators of photographs follow the outline of the face when it is turned away; here the jaw line is a
line on the skin: from the ear at the height of the eyes, down behind the cheek, along the lower edge of the
jaw to the chin.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sapiens_synth import face_curves as fc
from sapiens_synth.body_points import keypoint_template
from sapiens_synth.head import frontal
from sapiens_synth.head_shape import skull_field, trace
from sapiens_synth.person import turn_eyes
from sapiens_synth.skeleton import HEAD_ORIGIN, MIRROR
from sapiens_synth.spec import sample_person
from sapiens_synth.warps import warp_head

# Left side, from the ear at the height of the eyes over the angle of the jaw to the chin.
_JAW = np.array(
    [
        [0.080, 0.000, 0.005],
        [0.076, -0.035, 0.004],
        [0.068, -0.068, 0.010],
        [0.040, -0.096, 0.042],
        [0.018, -0.112, 0.066],
        [0.000, -0.118, 0.075],
    ]
)
_AXIS = np.array([0.0, -0.030, 0.015])

FLIP_68 = np.array(
    [
        *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
        45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
        54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55,
        64, 63, 62, 61, 60, 67, 66, 65,
    ]
)  # fmt: skip
"""Index of each point's mirror partner."""


def _jaw_line() -> np.ndarray:
    """Nine points of the left jaw, chin first, equally far apart on the skin (9, 3)."""
    t = np.linspace(0, len(_JAW) - 1, 200)
    knots = np.stack([np.interp(t, range(len(_JAW)), _JAW[:, i]) for i in range(3)], 1)
    out = (knots - _AXIS) / np.linalg.norm(knots - _AXIS, axis=1, keepdims=True)
    start = (_AXIS + 0.2 * out).astype(np.float32)
    line = trace(skull_field(), start, -out.astype(np.float32)).astype(float)
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    even = np.linspace(length[-1], 0, 9)
    points = np.stack([np.interp(even, length, line[:, i]) for i in range(3)], 1)
    points[0, 0] = 0
    return points


def _left_plane() -> dict[int, np.ndarray]:
    """Middle and left points that are seen from the front: id -> (x, y), head frame."""
    out = {
        27: np.array([0, 0.0050]),
        28: np.array([0, -0.0095]),
        29: np.array([0, -0.0240]),
        30: np.array([0, -0.0385]),
        33: np.array([0, -0.0515]),
        34: np.array([0.0072, -0.0500]),
        35: np.array([0.0145, -0.0480]),
    }
    brow = {22: 0.0, 23: 0.25, 24: 0.5, 25: 0.75, 26: 1.0}
    out |= {kid: fc.upper_brow(np.array(t)) for kid, t in brow.items()}
    eye = {42: 0.0, 43: 0.33, 44: 0.67, 45: 1.0}
    out |= {kid: fc.upper_lid(np.array(t)) for kid, t in eye.items()}
    out |= {kid: fc.lower_lid(np.array(t)) for kid, t in {47: 0.33, 46: 0.67}.items()}
    upper = {51: 0.0, 52: 0.25, 53: 0.6, 54: 1.0}
    out |= {kid: fc.upper_outer_lip(np.array(t)) for kid, t in upper.items()}
    lower = {57: 0.0, 56: 0.35, 55: 0.7}
    out |= {kid: fc.lower_outer_lip(np.array(t)) for kid, t in lower.items()}
    out |= {kid: fc.upper_inner_lip(np.array(t)) for kid, t in {62: 0.0, 63: 0.45, 64: 1.0}.items()}
    out |= {kid: fc.lower_inner_lip(np.array(t)) for kid, t in {66: 0.0, 65: 0.45}.items()}
    return out


@lru_cache(maxsize=1)
def face68_template() -> np.ndarray:
    """The 68 points of the template in the head frame (68, 3), metres."""
    rest = np.full((68, 3), np.nan)
    rest[8:17] = _jaw_line()
    plane = _left_plane()
    rest[list(plane)] = frontal(np.array(list(plane.values())))
    right = np.isnan(rest[:, 0])
    rest[right] = rest[FLIP_68[right]] * MIRROR
    return rest


def random_faces(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces as :func:`sample_person` draws them, with both layouts.

    Args:
        count: How many.
        seed: A face is a function of seed and its number.

    Returns:
        The 238 face points of the 308 (count, 238, 3), and the 68 (count, 68, 3); head frame, metres.
    """
    source, target = np.empty((count, 238, 3)), np.empty((count, 68, 3))
    for number in range(count):
        spec = sample_person(np.random.default_rng([seed, number]))
        template = keypoint_template(spec.pupil_ratio)
        rest, eye = template.rest[70:] - HEAD_ORIGIN, template.eye[70:]
        source[number, ~eye] = warp_head(rest[~eye], 'skin', spec.face, spec.expression)
        eyes = turn_eyes(rest[eye], spec.expression.gaze)
        source[number, eye] = warp_head(eyes, 'eyes', spec.face, spec.expression)
        target[number] = warp_head(face68_template(), 'skin', spec.face, spec.expression)
    return source, target
