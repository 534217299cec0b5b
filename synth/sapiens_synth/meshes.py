# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Small mesh operations: cutting along a scalar field, mirroring, vertex normals."""

from __future__ import annotations

import numpy as np

from sapiens_synth.skeleton import MIRROR

Mesh = tuple[np.ndarray, np.ndarray]
"""Vertices float32 (V, 3) and triangles int32 (F, 3)."""


def compact(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    """Drop the vertices that no face uses."""
    used, inverse = np.unique(faces, return_inverse=True)
    return vertices[used].astype(np.float32), inverse.reshape(-1, 3).astype(np.int32)


def clip(vertices: np.ndarray, faces: np.ndarray, value: np.ndarray) -> Mesh:
    """Keep the part of a mesh where a per-vertex value is not negative, cut exactly at zero.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        value: (V,) scalar field.

    Returns:
        The kept part; cut edges get new vertices by linear interpolation.
    """
    inside = value >= 0
    count = inside[faces].sum(1)
    whole = faces[count == 3]
    mixed = faces[(count == 1) | (count == 2)]
    # Roll each mixed face so that its odd corner comes first.
    lone = inside[mixed].sum(1) == 1
    odd = np.argmax(inside[mixed] == lone[:, None], axis=1)
    roll = (odd[:, None] + np.arange(3)) % 3
    mixed = np.take_along_axis(mixed, roll, 1)
    a, b, c = mixed.T
    edges = np.sort(np.concatenate([np.stack([a, b], 1), np.stack([a, c], 1)]), axis=1)
    unique, inverse = np.unique(edges, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1) + len(vertices)
    ab, ac = inverse[: len(mixed)], inverse[len(mixed) :]
    v0, v1 = value[unique[:, 0]], value[unique[:, 1]]
    t = (v0 / np.where(v0 == v1, 1, v0 - v1))[:, None]
    cut = vertices[unique[:, 0]] + t * (vertices[unique[:, 1]] - vertices[unique[:, 0]])
    out = [
        whole,
        np.stack([a, ab, ac], 1)[lone],
        np.stack([ab, b, c], 1)[~lone],
        np.stack([ab, c, ac], 1)[~lone],
    ]
    return compact(np.concatenate([vertices, cut]), np.concatenate(out))


def mirror(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    """The mirror image (x negated), still oriented outwards."""
    return (vertices * MIRROR).astype(np.float32), np.ascontiguousarray(faces[:, ::-1])


def both_sides(vertices: np.ndarray, faces: np.ndarray, weld: bool = False) -> Mesh:
    """A left half and its mirror image in one mesh.

    Args:
        vertices: (V, 3) with x >= 0.
        faces: (F, 3).
        weld: Join the halves along x = 0, for meshes that were cut there.
    """
    other_v, other_f = mirror(vertices, faces)
    other = np.arange(len(vertices)) + len(vertices)
    if weld:
        seam = np.abs(vertices[:, 0]) < 1e-6
        other[seam] = np.flatnonzero(seam)
    joined = np.concatenate([vertices, other_v]), np.concatenate([faces, other[other_f]])
    return compact(*joined)


def join(meshes: list[Mesh]) -> Mesh:
    """Concatenate meshes."""
    start = np.cumsum([0, *[len(v) for v, _ in meshes]])
    return (
        np.concatenate([v for v, _ in meshes]).astype(np.float32),
        np.concatenate([f + s for (_, f), s in zip(meshes, start[:-1], strict=True)]).astype(
            np.int32
        ),
    )


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit vertex normals float32 (V, 3), weighted by face area."""
    tri = vertices[faces]
    normal = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
    index = faces.ravel()
    out = np.stack(
        [np.bincount(index, np.repeat(normal[:, i], 3), minlength=len(vertices)) for i in range(3)],
        axis=1,
    )
    length = np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-20)
    return (out / length).astype(np.float32)
