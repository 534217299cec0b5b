# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Render posed meshes: picture, masks, depth, normals, labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sapiens_synth.camera import Camera
from sapiens_synth.raycast import Hits, RayScene
from sapiens_synth.shading import Light, illuminate, srgb, to_srgb


class Renderable(Protocol):
    """A mesh in the world that can say how it looks.

    Attributes:
        vertices: float32 (V, 3), metres.
        faces: int32 (F, 3).
        normals: Unit vertex normals float32 (V, 3).
        rest: Per-vertex coordinates for ``shade`` float32 (V, C).
        thing: Whether it is an object: seen and hiding what is behind it, but background in every label.
    """

    thing: bool

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    rest: np.ndarray

    def shade(
        self, face: np.ndarray, rest: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Albedo linear RGB (N, 3), labels uint8 (N,), highlight strength (N,) of hits."""
        ...


@dataclass
class Frame:
    """What a camera sees.

    Attributes:
        image: BGR uint8 (H, W, 3).
        depth: Metres along the camera's axis float32 (H, W); 0 where nothing is.
        normal: Unit normals float32 (H, W, 3) in camera axes X right, Y up, Z towards the camera; 0
            where nothing is.
        label: Part labels uint8 (H, W).
        instance: Index of the mesh plus one, uint8 (H, W); 0 where nothing is.
        albedo: sRGB of the surface without light, BGR uint8 (H, W, 3); 0 where nothing is.
        alpha: Share of the pixel that people cover, uint8 (H, W), 255 all of it.

    Objects are in the image only; everywhere else they are nothing.
    """

    image: np.ndarray
    depth: np.ndarray
    normal: np.ndarray
    label: np.ndarray
    instance: np.ndarray
    albedo: np.ndarray
    alpha: np.ndarray


@dataclass
class _Surface:
    """Interpolated surface data of hits."""

    point: np.ndarray
    normal: np.ndarray
    albedo: np.ndarray
    label: np.ndarray
    gloss: np.ndarray


class Scene:
    """Meshes and their ray structure.

    Args:
        meshes: What is in the scene.
    """

    def __init__(self, meshes: list[Renderable]) -> None:
        self.meshes = meshes
        self._things = np.array([mesh.thing for mesh in meshes])
        self.rays = RayScene([(m.vertices, m.faces) for m in meshes])

    def _surface(self, hits: Hits, origin: np.ndarray, directions: np.ndarray) -> _Surface:
        n = len(hits.ray)
        d = directions[hits.ray]
        point = origin + hits.t[:, None] * d
        normal = np.empty((n, 3), np.float32)
        albedo = np.empty((n, 3), np.float32)
        label = np.empty(n, np.uint8)
        gloss = np.empty(n, np.float32)
        for i in np.unique(hits.mesh):
            ids = np.flatnonzero(hits.mesh == i)
            mesh = self.meshes[i]
            corner = mesh.faces[hits.face[ids]]
            w = hits.bary[ids, :, None]
            normal[ids] = (w * mesh.normals[corner]).sum(1)
            rest = (w * mesh.rest[corner]).sum(1)
            albedo[ids], label[ids], gloss[ids] = mesh.shade(hits.face[ids], rest)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        # Sheets (cloth, hair, lids) can be seen from behind: normals face the viewer.
        flat = hits.normal * np.where((hits.normal * d).sum(1) > 0, -1, 1)[:, None]
        normal *= np.where((normal * flat).sum(1) < 0, -1, 1)[:, None]
        # An interpolated normal may still lean away at a silhouette; take the facet's there.
        away = (normal * d).sum(1) > -0.02 * np.linalg.norm(d, axis=1)
        normal[away] = flat[away]
        return _Surface(point.astype(np.float32), normal, albedo, label, gloss)

    def _color(
        self, s: _Surface, directions: np.ndarray, light: Light, shadow_bias: float
    ) -> np.ndarray:
        view = -directions / np.linalg.norm(directions, axis=1, keepdims=True)
        facing = s.normal @ light.sun > 0
        lit = np.zeros(len(s.point), np.float32)
        ids = np.flatnonzero(facing)
        start = s.point[ids] + shadow_bias * s.normal[ids]
        towards = np.broadcast_to(light.sun.astype(np.float32), start.shape)
        lit[ids] = ~self.rays.blocked(start, towards)
        # Where the facet hides from the sun but the smooth normal does not, let light in softly.
        return to_srgb(
            illuminate(s.albedo, s.gloss, s.normal, view, np.where(facing, lit, 1.0), light)
        )

    def render(
        self, camera: Camera, light: Light, background: np.ndarray, smooth_edges: bool = True
    ) -> Frame:
        """Render one frame.

        Args:
            camera: The camera.
            light: The light.
            background: sRGB float32 (H, W, 3), RGB order, 0..1.
            smooth_edges: Four more rays for each pixel on an edge of the picture (colour only).
        """
        h, w = camera.height, camera.width
        x0, y0, x1, y1 = self._window(camera)
        ys, xs = np.mgrid[y0:y1, x0:x1]
        xs, ys = xs.ravel(), ys.ravel()
        origin = camera.position.astype(np.float32)
        directions = camera.rays(xs.astype(float), ys.astype(float))
        hits = self.rays.cast(origin, directions)
        s = self._surface(hits, origin, directions)
        px, py = xs[hits.ray], ys[hits.ray]
        bias = 0.0015 + 0.0008 * float(np.median(hits.t)) if len(hits.t) else 0.002
        image = background.astype(np.float32).copy()
        image[py, px] = self._color(s, directions[hits.ray], light, bias)
        body = ~self._things[hits.mesh]
        px, py = px[body], py[body]
        depth = np.zeros((h, w), np.float32)
        depth[py, px] = hits.t[body]
        normal = np.zeros((h, w, 3), np.float32)
        normal[py, px] = (s.normal[body] @ camera.rotation.T.astype(np.float32)) * [1, -1, -1]
        label = np.zeros((h, w), np.uint8)
        label[py, px] = s.label[body]
        instance = np.zeros((h, w), np.uint8)
        instance[py, px] = hits.mesh[body] + 1
        albedo = np.zeros((h, w, 3), np.uint8)
        albedo[py, px] = _encode(srgb(np.clip(s.albedo[body], 0, 1)))[:, ::-1]
        frame = Frame(image, depth, normal, label, instance, albedo, np.where(instance > 0, 255, 0))
        if smooth_edges:
            self._antialias(frame, background, camera, light, bias)
        frame.image = _encode(image[..., ::-1])
        frame.alpha = frame.alpha.astype(np.uint8)
        return frame

    def _window(self, camera: Camera) -> tuple[int, int, int, int]:
        """Pixel box (x0, y0, x1, y1) outside which nothing can be hit."""
        low, high = np.array([np.inf, np.inf]), np.array([-np.inf, -np.inf])
        for mesh in self.meshes:
            uv = camera.project(mesh.vertices)
            if (uv[:, 2] < 0.05).any():
                return 0, 0, camera.width, camera.height
            low = np.minimum(low, uv[:, :2].min(0))
            high = np.maximum(high, uv[:, :2].max(0))
        x0, y0 = (max(0, int(np.floor(v))) for v in low)
        x1 = min(camera.width, int(np.ceil(high[0])) + 1)
        y1 = min(camera.height, int(np.ceil(high[1])) + 1)
        return x0, y0, max(x0, x1), max(y0, y1)

    def _antialias(
        self, frame: Frame, background: np.ndarray, camera: Camera, light: Light, bias: float
    ) -> None:
        """Average four rays in pixels whose neighbour shows something else: colour and alpha."""
        depth, normal, label, instance = frame.depth, frame.normal, frame.label, frame.instance
        edge = np.zeros(depth.shape, bool)
        rows, columns = slice(None), slice(None)
        first, second = slice(None, -1), slice(1, None)
        for a, b in (((first, columns), (second, columns)), ((rows, first), (rows, second))):
            jump = np.abs(depth[a] - depth[b]) > 0.012 * np.maximum(depth[a], depth[b]) + 1e-6
            differs = (
                jump
                | (label[a] != label[b])
                | (instance[a] != instance[b])
                | ((normal[a] * normal[b]).sum(-1) < 0.7) & (instance[a] > 0) & (instance[b] > 0)
            )
            edge[a] |= differs
            edge[b] |= differs
        y, x = np.nonzero(edge)
        if not len(y):
            return
        total = np.zeros((len(y), 3), np.float32)
        cover = np.zeros(len(y), np.float32)
        origin = camera.position.astype(np.float32)
        for dx, dy in ((-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375)):
            directions = camera.rays(x + dx, y + dy)
            hits = self.rays.cast(origin, directions)
            color = background[y, x].astype(np.float32).copy()
            s = self._surface(hits, origin, directions)
            color[hits.ray] = self._color(s, directions[hits.ray], light, bias)
            total += color
            cover[hits.ray[~self._things[hits.mesh]]] += 255 / 4
        frame.image[y, x] = total / 4
        frame.alpha[y, x] = cover + 0.5


def _encode(values: np.ndarray) -> np.ndarray:
    return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)
