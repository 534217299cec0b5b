# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Ray casting with Embree (package embreex): triangles in, per-ray hits out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene


@dataclass
class Hits:
    """Result of a batch of rays; only rays that hit something are listed.

    Attributes:
        ray: Index of the ray (H,).
        mesh: Index of the mesh in the scene (H,).
        face: Triangle of that mesh (H,).
        bary: Weights of the triangle's corners float32 (H, 3).
        t: Ray parameter float32 (H,).
        normal: Unit normal of the triangle float32 (H, 3), as wound.
    """

    ray: np.ndarray
    mesh: np.ndarray
    face: np.ndarray
    bary: np.ndarray
    t: np.ndarray
    normal: np.ndarray


class RayScene:
    """A set of triangle meshes ready for ray queries.

    Args:
        meshes: Pairs of vertices (V, 3) and triangles (F, 3), metres.
    """

    def __init__(self, meshes: list[tuple[np.ndarray, np.ndarray]]) -> None:
        self._scene = EmbreeScene()
        starts = [0]
        vertices, faces, count = [], [], 0
        for v, f in meshes:
            if not len(f):
                raise ValueError('a mesh without triangles cannot be rendered')
            vertices.append(np.asarray(v, np.float32))
            faces.append(np.asarray(f, np.int32) + count)
            count += len(v)
            starts.append(starts[-1] + len(f))
        # One Embree geometry for all meshes: fewer objects, one index range.
        self._vertices = np.ascontiguousarray(np.concatenate(vertices))
        self._faces = np.ascontiguousarray(np.concatenate(faces))
        self._starts = np.array(starts)
        self._geometry = TriangleMesh(self._scene, self._vertices, self._faces)

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """First hits of rays.

        Args:
            origins: (N, 3) or (3,) start points.
            directions: (N, 3), any length.
        """
        directions = np.ascontiguousarray(directions, np.float32)
        origins = np.ascontiguousarray(np.broadcast_to(origins, directions.shape), np.float32)
        if not len(directions):
            empty = np.zeros(0, int)
            zero = np.zeros((0, 3), np.float32)
            return Hits(empty, empty, empty, zero, np.zeros(0, np.float32), zero)
        r = self._scene.run(origins, directions, query='INTERSECT', output=True)
        ray = np.flatnonzero(r['primID'] >= 0)
        prim = r['primID'][ray]
        mesh = np.searchsorted(self._starts, prim, side='right') - 1
        u, v = r['u'][ray], r['v'][ray]
        tri = self._vertices[self._faces[prim]]
        normal = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
        return Hits(
            ray,
            mesh,
            prim - self._starts[mesh],
            np.stack([1 - u - v, u, v], 1),
            r['tfar'][ray],
            normal,
        )

    def blocked(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Whether anything lies on each ray: bool (N,)."""
        if not len(origins):
            return np.zeros(0, bool)
        out = self._scene.run(
            np.ascontiguousarray(origins, np.float32),
            np.ascontiguousarray(directions, np.float32),
            query='OCCLUDED',
        )
        return out == 0
