# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Depth and normals of a mesh as a calibrated camera with lens distortion sees it, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from sapiens_synth.raycast import RayScene
from sapiens_synth.scans import smooth_normals

RAYS = 1 << 19  # cast at a time; bounds the memory
UNDISTORT = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-9)  # steps, pixels


@dataclass(frozen=True)
class CalibratedCamera:
    """A camera of OpenCV's model; integer coordinates are the middles of pixels.

    Attributes:
        height: Image height, pixels.
        width: Image width, pixels.
        intrinsics: Camera matrix (3, 3), pixels.
        rotation: World to camera (3, 3); camera axes are x right, y down, z forward.
        translation: World to camera (3,), in the world's unit.
        distortion: OpenCV's coefficients (k1, k2, p1, p2, k3, ...), none for an ideal lens.
    """

    height: int
    width: int
    intrinsics: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    distortion: np.ndarray

    @property
    def position(self) -> np.ndarray:
        """Centre of projection in the world (3,)."""
        return -self.rotation.T @ self.translation

    def rays(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """World directions (N, 3) through points of the photo; a hit's ray parameter is its depth."""
        points = np.stack([x, y], axis=-1).astype(np.float64)[:, None]
        flat = cv2.undistortPointsIter(
            points, self.intrinsics, self.distortion, np.eye(3), np.eye(3), UNDISTORT
        )[:, 0]
        return np.column_stack([flat, np.ones(len(flat))]) @ self.rotation

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (N, 3) -> x, y in the photo, and depth: (N, 3)."""
        local = points @ self.rotation.T + self.translation
        pixels, _ = cv2.projectPoints(
            local, np.zeros(3), np.zeros(3), self.intrinsics, self.distortion
        )
        return np.column_stack([pixels[:, 0], local[:, 2]])


class Surface(NamedTuple):
    """What a camera sees of a mesh.

    Attributes:
        mask: bool (H, W), where the mesh is.
        depth: float32 (H, W), distance from the camera plane in the mesh's unit; 0 off the mask.
        normals: float32 (H, W, 3), unit vectors, X right, Y up, Z to the camera; 0 off the mask.
    """

    mask: np.ndarray
    depth: np.ndarray
    normals: np.ndarray


class SurfaceRenderer:
    """Renders one mesh for any number of cameras.

    Normals are the mean of the triangles' around a corner, interpolated over each triangle; where the
    inside of an open mesh shows, they are turned to the camera.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        # Embree computes in float32: positions far from the origin would lose digits.
        self._origin = 0.5 * (vertices.min(0) + vertices.max(0))
        self._scene = RayScene([(vertices - self._origin, faces)])
        self._faces = np.asarray(faces)
        self._normals = smooth_normals(vertices, self._faces)

    def render(self, camera: CalibratedCamera) -> Surface:
        """Cast a ray through the middle of every pixel."""
        count = camera.height * camera.width
        depth = np.zeros(count, np.float32)
        normals = np.zeros((count, 3), np.float32)
        for start in range(0, count, RAYS):
            pixels = np.arange(start, min(start + RAYS, count))
            directions = camera.rays(pixels % camera.width, pixels // camera.width)
            hits = self._scene.cast(camera.position - self._origin, directions)
            found = pixels[hits.ray]
            depth[found] = hits.t
            corners = self._normals[self._faces[hits.face]]
            normal = (corners * hits.bary[..., None]).sum(1)
            inside = (hits.normal * directions[hits.ray]).sum(1) > 0
            normal[inside] *= -1
            normal = normal @ camera.rotation.T.astype(np.float32)
            length = np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
            normals[found] = normal / length * np.array([1, -1, -1], np.float32)
        size = (camera.height, camera.width)
        depth = depth.reshape(size)
        return Surface(depth > 0, depth, normals.reshape(*size, 3))
