# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Pinhole cameras: x right, y down, z forward (OpenCV); integer coordinates are pixel centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sapiens_synth.skeleton import rotation

SENSOR_LONG_SIDE = 36.0
"""Full-frame sensor, millimetres along the image's long side; relates focal length to field of view."""


@dataclass(frozen=True)
class Camera:
    """A perspective camera without distortion.

    Attributes:
        height: Image height, pixels.
        width: Image width, pixels.
        focal: Focal length, pixels.
        center: Principal point (x, y), pixels.
        rotation: World to camera (3, 3).
        position: Centre of projection in the world (3,), metres.
    """

    height: int
    width: int
    focal: float
    center: tuple[float, float]
    rotation: np.ndarray
    position: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """World points (N, 3) -> (N, 3): x, y in pixels and depth in metres along the axis."""
        local = (np.asarray(points, float) - self.position) @ self.rotation.T
        z = local[:, 2]
        safe = np.where(np.abs(z) < 1e-9, 1e-9, z)
        xy = local[:, :2] / safe[:, None] * self.focal + np.array(self.center)
        return np.column_stack([xy, z])

    def rays(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Directions float32 (N, 3) in the world; a hit's ray parameter is its depth in metres."""
        r = self.rotation.astype(np.float32)
        u = ((x - self.center[0]) / self.focal).astype(np.float32)[:, None]
        v = ((y - self.center[1]) / self.focal).astype(np.float32)[:, None]
        return u * r[0] + v * r[1] + r[2]

    def intrinsics(self) -> dict[str, float]:
        """``fx, fy, cx, cy`` in pixels."""
        return {
            'fx': self.focal,
            'fy': self.focal,
            'cx': self.center[0],
            'cy': self.center[1],
        }


def look_at(
    position: np.ndarray, target: np.ndarray, roll: float, focal_mm: float, height: int, width: int
) -> Camera:
    """Camera at ``position`` that looks at ``target``; ``roll`` in radians."""
    forward = target - position
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= max(float(np.linalg.norm(right)), 1e-9)
    down = np.cross(forward, right)
    r = np.stack([right, down, forward])
    r = rotation(np.array([0, 0, roll])) @ r
    focal = focal_mm / SENSOR_LONG_SIDE * max(height, width)
    return Camera(height, width, float(focal), ((width - 1) / 2, (height - 1) / 2), r, position)


def frame_points(
    points: np.ndarray,
    direction: np.ndarray,
    roll: float,
    focal_mm: float,
    size: tuple[int, int],
    fill: float,
    shift: tuple[float, float],
) -> Camera:
    """Place a camera so that points fill a share of the image.

    Args:
        points: What to frame (N, 3), metres.
        direction: From the subject to the camera (3,).
        roll: Radians.
        focal_mm: Focal length for a full-frame sensor, millimetres.
        size: Image (height, width).
        fill: Share of the tighter image side that the points' extent takes.
        shift: Where the extent's middle goes, as shares of the free room in x and y (-1..1).
    """
    height, width = size
    target = 0.5 * (points.min(0) + points.max(0))
    distance = 3.0
    direction = direction / np.linalg.norm(direction)
    for _ in range(7):
        camera = look_at(target + distance * direction, target, roll, focal_mm, height, width)
        uv = camera.project(points)
        if (uv[:, 2] < 0.15).any():
            distance *= 1.6
            continue
        low, high = uv[:, :2].min(0), uv[:, :2].max(0)
        ratio = max((high[0] - low[0]) / (fill * width), (high[1] - low[1]) / (fill * height))
        depth = float(np.median(uv[:, 2]))
        room = 0.5 * (np.array([width, height]) - (high - low)).clip(0)
        want = np.array(camera.center) + np.array(shift) * room
        move = (0.5 * (low + high) - want) / camera.focal * depth
        target = target + move[0] * camera.rotation[0] + move[1] * camera.rotation[1]
        distance = max(distance * ratio, 0.18)
    return look_at(target + distance * direction, target, roll, focal_mm, height, width)
