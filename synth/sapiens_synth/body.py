# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Meshes of the body below the head, and how any rest point hangs on the bones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sapiens_synth import body_shape
from sapiens_synth.meshes import both_sides, clip
from sapiens_synth.sdf import Field, Primitive, blend, mirrored, surface_nets
from sapiens_synth.skeleton import ARM, BONE_ID, FINGERS, MIRROR, SHOULDER, WRIST


@dataclass
class Surface:
    """A template mesh in the rest pose.

    Attributes:
        kind: Which material routine colours and labels it.
        vertices: Rest positions float32 (V, 3), metres.
        faces: Triangles int32 (F, 3), counter-clockwise from outside.
        bones: Bone ids (V, 4).
        weights: Skin weights (V, 4).
    """

    kind: str
    vertices: np.ndarray
    faces: np.ndarray
    bones: np.ndarray
    weights: np.ndarray


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """Cubic step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@lru_cache(maxsize=1)
def _fields() -> dict[str, Field]:
    by_tag: dict[str, list[Primitive]] = {}
    limbs = body_shape.left_limbs()
    for prim in [*body_shape.torso(), *limbs, *mirrored(limbs)]:
        by_tag.setdefault(prim.tag, []).append(prim)
    fields = {tag: blend(prims, margin=9.0) for tag, prims in by_tag.items()}
    fields['torso'] = blend(body_shape.torso(), margin=9.0)
    fields['l_arm'] = blend([*body_shape.arm(), *body_shape.hand()], margin=9.0)
    return fields


@lru_cache(maxsize=1)
def body_field() -> Field:
    """Signed distance of the whole body without the head."""
    return blend(body_shape.all_primitives())


def arm_share(points: np.ndarray) -> np.ndarray:
    """How much rest points (N, 3) with x >= 0 belong to the left arm, 0..1."""
    fields = _fields()
    along = (points - SHOULDER) @ ARM
    # The chest's own fields overlap the shoulder ball; compare distances only below it.
    near = (fields['torso'](points) - fields['l_arm'](points)) / 0.014
    gate = 1 / (1 + np.exp(-np.clip(near, -30, 30)))
    cap = smoothstep(-0.055, 0.055, along)
    return np.where(
        points[:, 1] > 1.33,
        np.maximum(gate * cap, cap * smoothstep(0.15, 0.2, points[:, 0])),
        gate * cap,
    )


def leg_share(points: np.ndarray) -> np.ndarray:
    """How much rest points (N, 3) belong to the legs together, 0..1."""
    # The fold runs from the crotch up to the outer hip.
    crease = 0.835 + 0.75 * np.minimum(np.abs(points[:, 0]), 0.15) + 0.12 * points[:, 2]
    return smoothstep(-0.075, 0.065, crease - points[:, 1])


def _soft(distances: list[np.ndarray], widths: list[float]) -> np.ndarray:
    d = np.stack(distances, 1)
    d = np.maximum(d - d.min(1, keepdims=True), 0)
    w = np.exp(-d / np.asarray(widths))
    return w / w.sum(1, keepdims=True)


def skin_weights(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bones and weights for rest points anywhere on or near the body.

    Args:
        points: Rest positions (N, 3).

    Returns:
        Bone ids uint8 (N, 4) and weights float32 (N, 4), rows sum to 1. Mirrored points get mirrored
        bones and equal weights.
    """
    # Work on the left half and swap names afterwards, so that symmetry holds exactly.
    points = np.asarray(points, np.float32)
    right = points[:, 0] < 0
    p = np.where(right[:, None], points * MIRROR.astype(np.float32), points)
    fields = _fields()
    weight = np.zeros((len(p), len(BONE_ID)))
    y = p[:, 1]
    # Trunk: a chain of steps in height.
    column = p[:, 0] < 0.13
    steps = {
        'pelvis': np.ones(len(p)),
        'spine': smoothstep(0.99, 1.10, y),
        'chest': smoothstep(1.12, 1.26, y),
        'neck': smoothstep(1.405, 1.465, y) * column,
        'head': smoothstep(1.515, 1.575, y) * column,
        'end': np.zeros(len(p)),
    }
    for name, after in zip(steps, list(steps.values())[1:], strict=False):
        weight[:, BONE_ID[name]] = steps[name] * (1 - after)
    # The shoulder girdle follows its own bone, so that raised arms lift it.
    girdle = (
        smoothstep(0.03, 0.14, p[:, 0])
        * smoothstep(1.24, 1.36, y)
        * (1 - weight[:, BONE_ID['head']])
    )
    weight *= 1 - girdle[:, None]
    weight[:, BONE_ID['l_clavicle']] = girdle

    arm = arm_share(p)
    arm[y > 1.5] = 0
    weight *= 1 - arm[:, None]
    fine = [f'l_{f}{i}' for f in FINGERS for i in (1, 2, 3)]
    past_wrist = (p - WRIST) @ ARM
    for names, widths, ids in (
        (['l_upper_arm', 'l_forearm', 'l_hand'], [0.014, 0.014, 0.006], past_wrist <= 0.0),
        (['l_hand', *fine], [0.006, *[0.0018] * len(fine)], past_wrist > 0.0),
    ):
        rows = np.flatnonzero(ids & (arm > 0.004))
        if len(rows):
            share = _soft([fields[n](p[rows]) for n in names], widths)
            for j, name in enumerate(names):
                weight[rows, BONE_ID[name]] += arm[rows] * share[:, j]
    weight[arm <= 0.004] /= np.maximum(weight[arm <= 0.004].sum(1, keepdims=True), 1e-9)

    leg = leg_share(p)
    leg[arm > 0.02] = 0
    names = ['l_thigh', 'l_shin', 'l_foot', 'l_toes']
    knee = smoothstep(0.545, 0.445, y)
    ankle = smoothstep(0.125, 0.060, y - 0.35 * p[:, 2])
    toes = smoothstep(0.075, 0.115, p[:, 2] + 0.15 * (p[:, 0] - 0.12)) * (y < 0.12)
    parts = [1 - knee, knee * (1 - ankle), knee * ankle * (1 - toes), knee * ankle * toes]
    # Close to the middle plane both legs pull.
    own = np.where(p[:, 0] <= 0, 0.5, 0.5 + 0.5 * smoothstep(0.0, 0.035, p[:, 0]))
    weight *= 1 - leg[:, None]
    for name, part in zip(names, parts, strict=True):
        weight[:, BONE_ID[name]] += leg * part * own
        weight[:, BONE_ID['r_' + name[2:]]] += leg * part * (1 - own)

    order = np.argsort(-weight, axis=1, kind='stable')[:, :4]
    top = np.take_along_axis(weight, order, 1)
    top[top < 0.01] = 0
    top /= top.sum(1, keepdims=True)
    swap = np.array(
        [
            BONE_ID.get({'l': 'r', 'r': 'l'}.get(n[0], n[0]) + n[1:], i) if n[1] == '_' else i
            for n, i in BONE_ID.items()
        ]
    )
    order = np.where(right[:, None], swap[order], order)
    return order.astype(np.uint8), top.astype(np.float32)


def make_surface(kind: str, vertices: np.ndarray, faces: np.ndarray) -> Surface:
    """Attach skin weights to a mesh."""
    bones, weights = skin_weights(vertices)
    return Surface(kind, vertices.astype(np.float32), faces.astype(np.int32), bones, weights)


WRIST_CUT = -0.012
"""Where the hand mesh begins, metres along the arm from the wrist joint."""
ANKLE_CUT = 0.105
"""Height below which the foot mesh takes over, metres."""


@lru_cache(maxsize=4)
def body_surfaces(cell: float, fine: float) -> dict[str, Surface]:
    """Meshes ``body`` (trunk, arms, legs), ``hands`` and ``feet``.

    They are slices of one implicit surface, sampled with different cells, and overlap a little.

    Args:
        cell: Grid of trunk and limbs, metres.
        fine: Grid of hands and feet, metres.
    """
    field = body_field()
    out = {}
    # Only the left half is meshed; the other is its mirror image, so symmetry is exact.
    v, f = surface_nets(field, (-3 * cell, -0.02, -0.22), (0.66, 1.60, 0.22), cell)
    v, f = clip(v, f, v[:, 0])
    along = (v - WRIST) @ ARM
    lower = np.where((v[:, 0] > 0.4) & (v[:, 1] < 1.1), WRIST_CUT + cell - along, 1.0)
    upper = np.minimum(v[:, 1] - (ANKLE_CUT - cell), 1.585 - v[:, 1])
    v, f = clip(v, f, np.minimum(lower, upper))
    out['body'] = make_surface('body', *both_sides(v, f, weld=True))
    low = np.minimum(WRIST - 0.05, WRIST + 0.24 * ARM - 0.05)
    high = np.maximum(WRIST + 0.05, WRIST + 0.24 * ARM + 0.05)
    low[2], high[2] = -0.10, 0.12
    v, f = surface_nets(field, low, high, fine)
    v, f = clip(v, f, (v - WRIST) @ ARM - WRIST_CUT)
    out['hands'] = make_surface('hands', *both_sides(v, f))
    v, f = surface_nets(field, (0.03, -0.02, -0.12), (0.24, 0.16, 0.21), fine)
    v, f = clip(v, f, ANKLE_CUT - v[:, 1])
    out['feet'] = make_surface('feet', *both_sides(v, f))
    return out
