# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From a person's description to posed triangles and posed keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sapiens_synth import face_curves as fc
from sapiens_synth.body import (
    Surface,
    arm_share,
    body_surfaces,
    leg_share,
    skin_weights,
    smoothstep,
)
from sapiens_synth.body_points import keypoint_template
from sapiens_synth.clothing import GARMENTS, garment_surface, region
from sapiens_synth.ear import ear_mesh
from sapiens_synth.glasses import glasses_mesh
from sapiens_synth.hair import HAIR_STYLES, HAT_STYLES, hair_mesh, hat_mesh
from sapiens_synth.head import head_parts
from sapiens_synth.materials import shade_part
from sapiens_synth.meshes import both_sides, compact, vertex_normals
from sapiens_synth.skeleton import (
    BONE_ID,
    HEAD_ORIGIN,
    fold,
    forward_kinematics,
    rotation,
    skin,
)
from sapiens_synth.spec import Cloth, PersonSpec
from sapiens_synth.warps import warp_body, warp_head


@dataclass(frozen=True)
class Detail:
    """How finely the templates are sampled.

    Attributes:
        body: Cell of trunk and limbs, metres.
        fine: Cell of hands and feet, metres.
        cloth: Cell of garments, metres.
        hair: Cell of hair, metres.
        face: Spacing of the face against the finest template.
    """

    body: float
    fine: float
    cloth: float
    hair: float
    face: float


DETAILS: dict[str, Detail] = {
    'coarse': Detail(0.024, 0.0085, 0.026, 0.017, 4.0),
    'low': Detail(0.018, 0.0065, 0.020, 0.011, 2.4),
    'high': Detail(0.010, 0.0036, 0.012, 0.006, 1.0),
}


@dataclass
class Part:
    """One surface of a posed person; faces ``first`` to ``last`` of its mesh."""

    kind: str
    cloth: Cloth | None
    first: int
    last: int


@dataclass
class PosedMesh:
    """Triangles in the world with what is needed to shade and label a hit.

    Attributes:
        vertices: float32 (V, 3), metres.
        faces: int32 (F, 3).
        normals: Unit vertex normals float32 (V, 3).
        rest: Coordinates for materials float32 (V, 5): place on the rest model, arm and leg shares.
        parts: Surfaces, in face order.
        spec: The person.
        keypoints: World keypoints (308, 3).
        reach: Depth tolerance of each keypoint (308,), metres.
        thing: False: this is a person, not an object.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    rest: np.ndarray
    parts: list[Part]
    spec: PersonSpec
    keypoints: np.ndarray
    reach: np.ndarray
    thing: bool = False

    def shade(
        self, face: np.ndarray, rest: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Look of hits.

        Args:
            face: Triangle of each hit (N,).
            rest: Interpolated coordinates (N, 5).

        Returns:
            Albedo linear RGB (N, 3), labels uint8 (N,), highlight strength (N,).
        """
        albedo = np.zeros((len(face), 3), np.float32)
        label = np.zeros(len(face), np.uint8)
        gloss = np.zeros(len(face), np.float32)
        starts = np.array([part.first for part in self.parts])
        owner = np.searchsorted(starts, face, side='right') - 1
        for i in np.unique(owner):
            ids = np.flatnonzero(owner == i)
            part = self.parts[i]
            albedo[ids], label[ids], gloss[ids] = shade_part(
                self.spec, part.kind, part.cloth, rest[ids]
            )
        return albedo, label, gloss


def _on_head(kind: str, vertices: np.ndarray, faces: np.ndarray) -> Surface:
    bones = np.full((len(vertices), 4), BONE_ID['head'], np.uint8)
    weights = np.zeros((len(vertices), 4), np.float32)
    weights[:, 0] = 1
    if kind == 'hair':
        # Locks that reach the shoulders follow the chest.
        low = 0.85 * smoothstep(-0.10, -0.23, vertices[:, 1])
        bones[:, 1] = BONE_ID['chest']
        weights[:, 0], weights[:, 1] = 1 - low, low
    return Surface(kind, vertices, faces, bones, weights)


@lru_cache(maxsize=64)
def _head_surface(kind: str, style: str, level: str) -> Surface:
    detail = DETAILS[level]
    if kind == 'ears':
        return _on_head(kind, *both_sides(*ear_mesh(detail.face)))
    if kind == 'hair':
        return _on_head(kind, *hair_mesh(style, detail.hair))
    if kind == 'hat':
        return _on_head(kind, *hat_mesh(style, detail.hair))
    if kind == 'glasses':
        return _on_head(kind, *glasses_mesh(style, detail.face))
    return _on_head(kind, *head_parts(detail.face)[kind])


@lru_cache(maxsize=256)
def _covered(kind: str, garment: str, level: str) -> np.ndarray:
    """Mask of body faces that a garment hides for good."""
    detail = DETAILS[level]
    surface = body_surfaces(detail.body, detail.fine)[kind]
    rule = GARMENTS[garment]
    v = surface.vertices
    if rule.layer in ('sock', 'shoe'):
        inside = (v[:, 1] < rule.upper - 0.03) & (np.abs(v[:, 0]) < 0.3)
    elif rule.layer == 'apparel':
        inside = np.zeros(len(v), bool)
    else:
        inside = region(rule, v) > 0.030
        if rule.layer == 'top':
            inside &= (np.abs(v[:, 0]) < 0.3) | (rule.sleeve > 0.3)
        if garment == 'skirt':
            inside &= v[:, 1] > 0.9
    return inside[surface.faces].all(1)


@lru_cache(maxsize=8)
def _shares(kind: str, level: str) -> np.ndarray:
    """Per vertex of a body surface: trunk, arm and leg shares float32 (V, 3)."""
    detail = DETAILS[level]
    v = body_surfaces(detail.body, detail.fine)[kind].vertices
    left = fold(v).astype(np.float32)
    return np.stack([_trunk_of(v), arm_share(left), leg_share(left)], 1).astype(np.float32)


@lru_cache(maxsize=128)
def _bare(kind: str, garments: tuple[str, ...], level: str) -> tuple[Surface, np.ndarray]:
    """A body surface without what the garments hide, and the shares of its vertices."""
    detail = DETAILS[level]
    full = body_surfaces(detail.body, detail.fine)[kind]
    shares = _shares(kind, level)
    hidden = np.zeros(len(full.faces), bool)
    for name in garments:
        hidden |= _covered(kind, name, level)
    if not hidden.any():
        return full, shares
    faces = full.faces[~hidden]
    used = np.unique(faces)
    vertices, faces = compact(full.vertices, faces)
    return Surface(kind, vertices, faces, full.bones[used], full.weights[used]), shares[used]


@lru_cache(maxsize=256)
def _garment(name: str, top: str, level: str) -> tuple[Surface, np.ndarray]:
    """A garment without what the top over it hides, and the trunk share of its vertices."""
    full = garment_surface(name, _cloth_cell(name, DETAILS[level]))
    trunk = _trunk_of(full.vertices)
    if not top or GARMENTS[name].layer != 'bottom':
        return full, trunk
    hidden = (region(GARMENTS[top], full.vertices) > 0.035)[full.faces].all(1)
    faces = full.faces[~hidden]
    used = np.unique(faces)
    vertices, faces = compact(full.vertices, faces)
    surface = Surface(full.kind, vertices, faces, full.bones[used], full.weights[used])
    return surface, trunk[used]


def _trunk_of(v: np.ndarray) -> np.ndarray:
    left = fold(v)
    share = 1 - arm_share(left.astype(np.float32))
    return (share * smoothstep(0.30, 0.22, left[:, 0])).astype(np.float32)


def _cloth_cell(name: str, detail: Detail) -> float:
    small = GARMENTS[name].layer in ('sock', 'shoe') or name == 'watch'
    return 0.6 * detail.cloth if small else detail.cloth


def turn_eyes(points: np.ndarray, gaze: tuple[float, float]) -> np.ndarray:
    """Rotate eyeball points (N, 3), head frame, about their centres."""
    r = rotation(np.array([-gaze[1], gaze[0], 0.0]))
    center = fc.EYE_CENTER * np.stack([np.sign(points[:, 0]), *np.ones((2, len(points)))], 1)
    return (points - center) @ r.T + center


def pose_keypoints(spec: PersonSpec, transforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World keypoints (308, 3) and their depth tolerances (308,)."""
    template = keypoint_template(spec.pupil_ratio)
    rest = template.rest.copy()
    bones, weights = _keypoint_weights()
    skin_ids = np.flatnonzero(template.head & ~template.eye)
    eye_ids = np.flatnonzero(template.eye)
    local = warp_head(rest[skin_ids] - HEAD_ORIGIN, 'skin', spec.face, spec.expression)
    rest[skin_ids] = local + HEAD_ORIGIN
    eyes = turn_eyes(rest[eye_ids] - HEAD_ORIGIN, spec.expression.gaze)
    rest[eye_ids] = warp_head(eyes, 'eyes', spec.face, spec.expression) + HEAD_ORIGIN
    other = np.flatnonzero(~template.head)
    rest[other] = warp_body(rest[other], _keypoint_trunk()[other], spec.body)
    # Rounding to float32 on the way must not move a point off its surface; it is far below a pixel.
    return skin(rest.astype(np.float32), bones, weights, transforms), template.depth


@lru_cache(maxsize=1)
def _keypoint_weights() -> tuple[np.ndarray, np.ndarray]:
    template = keypoint_template()
    bones, weights = skin_weights(template.rest)
    bones[template.head] = BONE_ID['head']
    weights[template.head] = [1, 0, 0, 0]
    return bones, weights


@lru_cache(maxsize=1)
def _keypoint_trunk() -> np.ndarray:
    return _trunk_of(keypoint_template().rest)


def build_person(spec: PersonSpec, level: str = 'high') -> PosedMesh:
    """Dress, shape and pose the template.

    Args:
        spec: The person.
        level: Key of :data:`DETAILS`.
    """
    transforms = forward_kinematics(spec.pose, spec.proportions, spec.root)
    names = tuple(cloth.name for cloth in spec.clothes)
    top = next((name for name in names if GARMENTS[name].layer == 'top'), '')
    layers: list[tuple[Surface, Cloth | None, np.ndarray, np.ndarray | None]] = []
    for kind in ('body', 'hands', 'feet'):
        if kind == 'feet' and any(GARMENTS[n].layer in ('sock', 'shoe') for n in names):
            continue
        surface, shares = _bare(kind, names, level)
        rest = surface.vertices
        shaped = warp_body(rest, shares[:, 0], spec.body) if kind == 'body' else rest
        layers.append((surface, None, shaped, shares[:, 1:]))
    for cloth in spec.clothes:
        surface, trunk = _garment(cloth.name, top, level)
        layers.append((surface, cloth, warp_body(surface.vertices, trunk, spec.body), None))
    kinds = ['skin', 'eyes', 'ears']
    if spec.expression.open > 0.001:
        kinds += ['upper_teeth', 'lower_teeth', 'tongue', 'mouth']
    if spec.hair not in ('bald', 'buzz'):
        kinds.append('hair')
    if spec.hat:
        kinds.append('hat')
    if spec.glasses:
        kinds.append('glasses')
    for kind in kinds:
        style = {'hair': spec.hair, 'hat': spec.hat, 'glasses': spec.glasses}.get(kind, '')
        surface = _head_surface(kind, style, level)
        local = surface.vertices
        if kind == 'eyes':
            local = turn_eyes(local, spec.expression.gaze)
        shaped = warp_head(local, kind, spec.face, spec.expression) + HEAD_ORIGIN.astype(np.float32)
        layers.append((surface, None, shaped, None))
    vertices: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    normals: list[np.ndarray] = []
    coordinates: list[np.ndarray] = []
    parts: list[Part] = []
    v_count = f_count = 0
    for surface, wear, shaped, extra in layers:
        if not len(surface.faces):
            continue
        posed = skin(shaped.astype(np.float32), surface.bones, surface.weights, transforms)
        vertices.append(posed)
        normals.append(vertex_normals(posed, surface.faces))
        offset = HEAD_ORIGIN.astype(np.float32) if surface.kind in _HEAD else np.float32(0)
        own = np.zeros((len(posed), 5), np.float32)
        own[:, :3] = surface.vertices + offset
        if extra is not None:
            own[:, 3:] = extra
        coordinates.append(own)
        faces.append(surface.faces + v_count)
        parts.append(Part(surface.kind, wear, f_count, f_count + len(surface.faces)))
        v_count += len(posed)
        f_count += len(surface.faces)
    keypoints, reach = pose_keypoints(spec, transforms)
    return PosedMesh(
        np.concatenate(vertices),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(normals),
        np.concatenate(coordinates),
        parts,
        spec,
        keypoints,
        reach,
    )


_HEAD = (
    'skin',
    'eyes',
    'ears',
    'upper_teeth',
    'lower_teeth',
    'tongue',
    'mouth',
    'hair',
    'hat',
    'glasses',
)


def warm_up(detail: str, wardrobe: bool = True) -> None:
    """Build the template meshes once, before worker processes are forked from this one.

    Args:
        detail: A key of :data:`DETAILS`, or ``auto`` (all).
        wardrobe: Build all clothes, hair and hats too; a few images need only some of them.
    """
    _keypoint_weights()
    for level in DETAILS if detail == 'auto' else (detail,):
        d = DETAILS[level]
        body_surfaces(d.body, d.fine)
        head_parts(d.face)
        for kind in ('body', 'hands', 'feet'):
            _shares(kind, level)
        if not wardrobe:
            continue
        for name in GARMENTS:
            garment_surface(name, _cloth_cell(name, d))
            for kind in ('body', 'hands', 'feet'):
                _covered(kind, name, level)
        for style in HAIR_STYLES:
            if style not in ('bald', 'buzz'):
                _head_surface('hair', style, level)
        for style in HAT_STYLES:
            _head_surface('hat', style, level)
