# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Which keypoints a camera sees, and which part labels each may lie on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sapiens_common.layouts.body_parts import BODY_PART_IDS, BODY_PARTS
from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_synth.camera import Camera
from sapiens_synth.raycast import RayScene

OUTSIDE, OCCLUDED, VISIBLE = 0, 1, 2
"""COCO flags: outside the image, inside but hidden, seen."""

_MOUTH = ('Upper_Lip', 'Lower_Lip', 'Upper_Teeth', 'Lower_Teeth', 'Tongue')
_COVER = ('Upper_Clothing', 'Apparel')
_LEG_COVER = ('Lower_Clothing', 'Upper_Clothing')

# Parts by keypoint, written for the left side; {S} is the side.
_ALLOWED_BODY: dict[str, tuple[str, ...]] = {
    'shoulder': ('{S}_Upper_Arm', 'Torso', *_COVER),
    'acromion': ('{S}_Upper_Arm', 'Torso', *_COVER),
    'elbow': ('{S}_Upper_Arm', '{S}_Lower_Arm', *_COVER),
    'olecranon': ('{S}_Upper_Arm', '{S}_Lower_Arm', *_COVER),
    'cubital_fossa': ('{S}_Upper_Arm', '{S}_Lower_Arm', *_COVER),
    'wrist': ('{S}_Lower_Arm', '{S}_Hand', *_COVER),
    'hip': ('{S}_Upper_Leg', 'Torso', 'Apparel', *_LEG_COVER),
    'knee': ('{S}_Upper_Leg', '{S}_Lower_Leg', '{S}_Sock', 'Lower_Clothing'),
    'ankle': ('{S}_Lower_Leg', '{S}_Foot', '{S}_Sock', '{S}_Shoe', 'Lower_Clothing'),
    'big_toe': ('{S}_Foot', '{S}_Sock', '{S}_Shoe'),
    'small_toe': ('{S}_Foot', '{S}_Sock', '{S}_Shoe'),
    'heel': ('{S}_Foot', '{S}_Sock', '{S}_Shoe', 'Lower_Clothing'),
}


@lru_cache(maxsize=1)
def allowed_parts() -> tuple[frozenset[int], ...]:
    """For each of the 308 keypoints, the part ids on which it may be visible."""
    out = []
    for point in load_goliath308()['keypoints']:
        kid, name, group = point['id'], point['name'], point['group']
        side = 'Left' if name.startswith('left_') else 'Right'
        stem = name.removeprefix('left_').removeprefix('right_')
        parts: tuple[str, ...]
        if name == 'neck':
            parts = ('Face_Neck', 'Torso', *_COVER)
        elif stem in _ALLOWED_BODY:
            parts = tuple(p.replace('{S}', side) for p in _ALLOWED_BODY[stem])
        elif group.endswith('hand'):
            parts = (f'{side}_Hand',)
        elif 188 <= kid <= 219:
            parts = ('Face_Neck', *_MOUTH)
        else:
            parts = ('Face_Neck',)
        out.append(frozenset(BODY_PART_IDS[p] for p in parts))
    return tuple(out)


@lru_cache(maxsize=1)
def allowed_table() -> np.ndarray:
    """:func:`allowed_parts` as a mask bool (308, parts and glasses)."""
    # Glasses come after the parts; they hide what is behind.
    table = np.zeros((308, len(BODY_PARTS) + 1), bool)
    for kid, parts in enumerate(allowed_parts()):
        table[kid, sorted(parts)] = True
    return table


def keypoint_flags(
    points: np.ndarray,
    reach: np.ndarray,
    mesh: int,
    camera: Camera,
    rays: RayScene,
    label: np.ndarray,
    instance: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Project keypoints and test them for occlusion.

    A point is visible when the first surface on the ray from the camera through it belongs to its own
    person, lies no further in front of it than its tolerance, and the pixel carries an allowed label.

    Args:
        points: World keypoints (308, 3).
        reach: Tolerance in depth (308,), metres.
        mesh: Index of the person's mesh in the scene.
        camera: The camera.
        rays: The scene's ray structure.
        label: Part labels (H, W).
        instance: Mesh index plus one (H, W).

    Returns:
        Pixel coordinates (308, 2), 0 for points outside, and COCO flags (308,).
    """
    uvz = camera.project(points)
    # Two decimals are what is stored; the pixel must be chosen from the same numbers.
    uvz[:, :2] = np.round(uvz[:, :2], 2)
    x, y, z = uvz.T
    inside = (x >= 0) & (y >= 0) & (x <= camera.width - 1) & (y <= camera.height - 1) & (z > 0.05)
    flags = np.where(inside, OCCLUDED, OUTSIDE)
    ids = np.flatnonzero(inside)
    hits = rays.cast(camera.position.astype(np.float32), camera.rays(x[ids], y[ids]))
    hit_ids = ids[hits.ray]
    gap = z[hit_ids] - hits.t
    near = (
        (hits.mesh == mesh) & (gap <= reach[hit_ids]) & (gap >= -np.maximum(reach[hit_ids], 0.006))
    )
    hit_ids = hit_ids[near]
    px, py = np.rint(x[hit_ids]).astype(int), np.rint(y[hit_ids]).astype(int)
    good = (instance[py, px] == mesh + 1) & allowed_table()[hit_ids, label[py, px]]
    flags[hit_ids[good]] = VISIBLE
    xy = np.where(inside[:, None], uvz[:, :2], 0)
    return xy, flags
