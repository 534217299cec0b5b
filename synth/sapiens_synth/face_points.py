# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Places of the 238 face keypoints on the template head.

Only the middle and the left side are written down; every right point is the mirror image of its flip
partner, so the numbering that crosses over between the sides (midpoints, clock positions) is right by
construction. Numbered midpoints follow the layout's rule: 1 and 2 halve a line's two halves, 3 to 6
halve again, each counted from the image's left for a person who faces the camera.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_synth import face_curves as fc
from sapiens_synth.ear import ear_points

# Fractions along a line of the left side, inner to outer end, for keypoints counted from the image's
# left: 3, 1, 4, centre, 5, 2, 6.
_LEFT_ORDER = {3: 1 / 8, 1: 2 / 8, 4: 3 / 8, 0: 4 / 8, 5: 5 / 8, 2: 6 / 8, 6: 7 / 8}


@lru_cache(maxsize=1)
def flip_partner() -> np.ndarray:
    """Index of each keypoint's mirror partner (308,)."""
    keypoints = load_goliath308()['keypoints']
    index = {k['name']: k['id'] for k in keypoints}
    return np.array([index[k['swap']] if k['swap'] else k['id'] for k in keypoints])


def _line(ids: dict[int, int], curve: Callable[[np.ndarray], np.ndarray]) -> dict[int, np.ndarray]:
    """Keypoints (2,) along a line by id; ``ids`` gives the id by the number of the point on the line."""
    return {kid: curve(np.array(_LEFT_ORDER[number])) for number, kid in ids.items()}


def left_face_plane_points() -> dict[int, np.ndarray]:
    """Middle and left keypoints found by looking straight at the face: id -> (x, y), head frame."""
    out: dict[int, np.ndarray] = {
        0: np.array([0, -0.0385]),
        70: np.array([0, 0.0215]),  # glabella
        71: np.array([0, 0.0050]),  # nose root
        72: np.array([0, -0.0300]),  # lower end of the bridge
        73: np.array([0, -0.0125]),
        74: np.array([0, -0.0037]),
        75: np.array([0, -0.0212]),
        76: np.array([0, -0.0880]),
        77: np.array([0, -0.1040]),
        178: np.array([0, -0.0385]),
        179: np.array([0, -0.0515]),
        181: np.array([0.0172, -0.0430]),
        185: np.array([0.0036, -0.0490]),
        186: np.array([0.0098, -0.0482]),
        187: np.array([0.0066, -0.0462]),
        87: fc.upper_brow(np.array(0.0)),
        88: fc.lower_brow(np.array(0.0)),
        89: np.array([0.0558, 0.0192]),
        90: fc.upper_brow(np.array(0.5)),
        91: fc.lower_brow(np.array(0.5)),
        92: fc.upper_brow(np.array(0.25)),
        93: fc.upper_brow(np.array(0.75)),
        94: fc.lower_brow(np.array(0.25)),
        95: fc.lower_brow(np.array(0.75)),
        96: np.add(fc.upper_lash(np.array(0.0)), [0, 0.0005]),
        97: np.add(fc.upper_lash(np.array(1.0)), [0, 0.0004]),
        144: np.subtract(fc.lower_lash(np.array(0.0)), [0, 0.0005]),
        145: np.subtract(fc.lower_lash(np.array(1.0)), [0, 0.0004]),
    }
    out |= _line({0: 98, 2: 99, 1: 100, 6: 101, 5: 102, 4: 103, 3: 104}, fc.upper_lash)
    out |= _line({6: 113, 2: 114, 5: 115, 0: 116, 4: 117, 1: 118, 3: 119}, fc.crease)
    out |= _line({0: 146, 2: 147, 1: 148, 6: 149, 5: 150, 4: 151, 3: 152}, fc.lower_lash)
    # Outer lip contours: curves run from the middle to the corner.
    out[189] = np.array([fc.MOUTH_OUTER_X, fc.MOUTH_Y])
    out[190] = fc.upper_outer_lip(np.array(0.0))
    out[191] = fc.lower_outer_lip(np.array(0.0))
    for kid, t in ((193, 0.5), (198, 0.25), (199, 0.75)):
        out[kid] = fc.upper_outer_lip(np.array(t))
    for kid, t in ((195, 0.5), (202, 0.25), (203, 0.75)):
        out[kid] = fc.lower_outer_lip(np.array(t))
    return out


def left_edge_points() -> dict[int, np.ndarray]:
    """Middle and left keypoints on the edges of the openings: id -> (x, y) on the edge curve."""
    out = {105: fc.upper_lid(np.array(0.985)), 153: fc.lower_lid(np.array(0.985))}
    out |= _line({6: 106, 2: 107, 5: 108, 0: 109, 4: 110, 1: 111, 3: 112}, fc.upper_lid)
    out |= _line({6: 154, 2: 155, 5: 156, 0: 157, 4: 158, 1: 159, 3: 160}, fc.lower_lid)
    out[205] = fc.upper_inner_lip(np.array(1.0))
    out[206] = fc.upper_inner_lip(np.array(0.0))
    out[207] = fc.lower_inner_lip(np.array(0.0))
    for ids, curve in (
        ((209, 214, 215), fc.upper_inner_lip),
        ((211, 218, 219), fc.lower_inner_lip),
    ):
        for kid, t in zip(ids, (0.5, 0.25, 0.75), strict=True):
            out[kid] = curve(np.array(t))
    return out


def left_ear_points() -> dict[int, np.ndarray]:
    """Left ear keypoints (body's left_ear too): id -> (3,) head frame."""
    points = ear_points()
    return {3: points[237], **points}


# Clock positions of the left eye's keypoints as the viewer sees them, degrees from 3 o'clock upwards.
_CLOCK = (0, 45, 90, 135, 180, 225, 270, 315)
IRIS_IDS = tuple(range(273, 281))
PUPIL_IDS = tuple(range(291, 299))


def left_eye_directions(pupil_ratio: float) -> dict[int, np.ndarray]:
    """Directions from the left eyeball's centre, gaze along +z: id -> unit vector (3,).

    Args:
        pupil_ratio: Radius of the pupil against that of the iris.
    """
    out = {1: np.array([0, 0, 1.0]), 272: np.array([0, 0, 1.0]), 290: np.array([0, 0, 1.0])}
    for ids, angle in ((IRIS_IDS, fc.IRIS_ANGLE), (PUPIL_IDS, fc.IRIS_ANGLE * pupil_ratio)):
        for kid, clock in zip(ids, np.radians(_CLOCK), strict=True):
            s = np.sin(angle)
            out[kid] = np.array([s * np.cos(clock), s * np.sin(clock), np.cos(angle)])
    return out
