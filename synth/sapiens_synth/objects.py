# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Things among people: seats, what is held, and what stands in front or behind. Background in every label."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import trimesh

from sapiens_synth.camera import Camera
from sapiens_synth.materials import noise
from sapiens_synth.person import PosedMesh
from sapiens_synth.skeleton import rotation
from sapiens_synth.spec import RGB, cloth_color

SHAPES = ('box', 'cylinder', 'ball')
_HANDS = (41, 62)  # right and left wrist
_HIPS = (9, 10)


@dataclass
class Thing:
    """A simple solid with a colour and some texture; a :class:`sapiens_synth.scene.Renderable`.

    Attributes:
        vertices: float32 (V, 3), metres.
        faces: int32 (F, 3).
        normals: float32 (V, 3).
        rest: Places on the solid before it was moved float32 (V, 3), metres.
        color: Albedo, linear RGB.
        second: Colour of the pattern.
        pattern: Repeats of the pattern per metre, 0 for none.
        thing: True.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    rest: np.ndarray
    color: RGB
    second: RGB
    pattern: float
    thing: bool = True

    def shade(
        self, face: np.ndarray, rest: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Albedo linear RGB (N, 3), labels (all 0) and highlight (N,) of hits."""
        share = 0.15 * (1 + noise(rest, 11))
        if self.pattern:
            share = (np.sin(2 * np.pi * self.pattern * rest).prod(1) > 0).astype(float)
        albedo = np.array(self.color) + np.clip(share, 0, 1)[:, None] * (
            np.array(self.second) - np.array(self.color)
        )
        n = len(face)
        return albedo, np.zeros(n, np.uint8), np.full(n, 0.1, np.float32)


@lru_cache(maxsize=8)
def _solid(shape: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, faces and normals of a solid in the unit cube."""
    if shape == 'box':
        mesh = trimesh.creation.box()
    elif shape == 'cylinder':
        mesh = trimesh.creation.cylinder(radius=0.5, height=1, sections=16)
        mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    elif shape == 'ball':
        mesh = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    else:
        raise ValueError(f'unknown shape {shape!r}, expected one of {SHAPES}')
    if shape == 'ball':
        return mesh.vertices, mesh.faces, mesh.vertex_normals
    # Every facet has corners of its own, so that edges stay sharp.
    faces = np.arange(3 * len(mesh.faces)).reshape(-1, 3)
    return mesh.triangles.reshape(-1, 3), faces, np.repeat(mesh.face_normals, 3, axis=0)


def make_thing(
    rng: np.random.Generator, shape: str, size: np.ndarray, turn: np.ndarray, place: np.ndarray
) -> Thing:
    """A solid of random colours.

    Args:
        rng: Source of randomness.
        shape: One of :data:`SHAPES`.
        size: Extents (3,), metres.
        turn: Rotation (3, 3).
        place: Where its middle goes (3,), metres.
    """
    vertices, faces, normals = _solid(shape)
    rest = vertices * size
    out = (normals / size) @ turn.T
    return Thing(
        (rest @ turn.T + place).astype(np.float32),
        faces.astype(np.int32),
        (out / np.linalg.norm(out, axis=1, keepdims=True)).astype(np.float32),
        rest.astype(np.float32),
        cloth_color(rng),
        cloth_color(rng),
        float(rng.uniform(2, 12)) if rng.random() < 0.35 else 0.0,
    )


def _turn(rng: np.random.Generator, tilt: float) -> np.ndarray:
    """Any turn about the vertical and a tilt of some degrees."""
    upright = rotation(np.array([0, rng.uniform(-np.pi, np.pi), 0]))
    return upright @ rotation(np.radians(rng.normal(0, tilt, 3)))


def seat(rng: np.random.Generator, person: PosedMesh) -> Thing:
    """Something under a sitting person: a stool, a bench, a saddle."""
    hips = person.keypoints[list(_HIPS)]
    across = hips[0] - hips[1]
    yaw = np.arctan2(-across[2], across[0])
    u = rng.uniform
    size = np.array([u(0.2, 1.4), u(0.05, 0.5), u(0.25, 0.6)])
    place = hips.mean(0) - np.array([0, 0.10 + 0.5 * size[1], 0])
    place = place + 0.08 * np.array([np.sin(yaw), 0, np.cos(yaw)])
    return make_thing(rng, 'box', size, rotation(np.array([0, yaw, 0])), place)


def held(rng: np.random.Generator, person: PosedMesh) -> Thing:
    """A stick, board, ball or bag in one hand."""
    hand = person.keypoints[_HANDS[int(rng.integers(2))]]
    u = rng.uniform
    shape = str(rng.choice(SHAPES, p=[0.35, 0.45, 0.20]))
    size = {
        'box': np.array([u(0.05, 0.45), u(0.08, 0.5), u(0.02, 0.3)]),
        'cylinder': np.array([u(0.015, 0.06), u(0.3, 1.4), 0.0]),
        'ball': np.full(3, u(0.06, 0.28)),
    }[shape]
    if shape == 'cylinder':
        size[2] = size[0]
    turn = rotation(rng.normal(0, 1.2, 3))
    # Held near one end or in the middle.
    return make_thing(rng, shape, size, turn, hand + turn[:, 1] * size[1] * u(-0.5, 0.5))


def hiding(rng: np.random.Generator, person: PosedMesh, camera: Camera) -> Thing:
    """Something between the camera and a part of a person: furniture, a rail, a passer-by's bag."""
    target = person.keypoints[int(rng.integers(0, 21))]
    near = rng.uniform(0.5, 0.93)
    place = camera.position + near * (target - camera.position)
    scale = near * rng.uniform(0.7, 1.4)
    u = rng.uniform
    if rng.random() < 0.3:  # a rail or pole
        size = np.array([u(0.02, 0.07), u(0.8, 3.0), 0.05]) * scale
        upright = np.eye(3) if rng.random() < 0.5 else rotation(np.array([0, 0, np.pi / 2]))
        turn = _turn(rng, 6) @ upright
        return make_thing(rng, 'cylinder', size, turn, place)
    shape = str(rng.choice(SHAPES, p=[0.6, 0.15, 0.25]))
    size = scale * np.array([u(0.08, 0.6), u(0.08, 0.5), u(0.05, 0.4)])
    return make_thing(rng, shape, size, _turn(rng, 12), place)


def behind(rng: np.random.Generator, person: PosedMesh, camera: Camera) -> Thing:
    """Something large beside or behind a person."""
    middle = person.vertices.mean(0)
    away = middle - camera.position
    distance = float(np.linalg.norm(away))
    u = rng.uniform
    place = camera.position + away * u(1.05, 1.8)
    place = place + camera.rotation[0] * u(-0.7, 0.7) * distance * 0.5
    place = place + camera.rotation[1] * u(-0.1, 0.5) * distance * 0.4
    shape = str(rng.choice(SHAPES, p=[0.7, 0.2, 0.1]))
    return make_thing(rng, shape, distance * rng.uniform(0.04, 0.4, 3), _turn(rng, 4), place)


def furnish(
    rng: np.random.Generator, people: list[PosedMesh], sitting: list[bool], camera: Camera
) -> list[Thing]:
    """Things for a scene: seats under most who sit, things in hands, in front and behind."""
    out = [seat(rng, p) for p, sits in zip(people, sitting, strict=True) if sits]
    out = [thing for thing in out if rng.random() < 0.8]
    for person in people:
        if rng.random() < 0.35:
            out.append(held(rng, person))
        if rng.random() < 0.30:
            out.append(hiding(rng, person, camera))
    for _ in range(int(rng.integers(0, 3))):
        out.append(behind(rng, people[0], camera))
    return out
