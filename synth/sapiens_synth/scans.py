# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Scans from disk: OBJ, PLY and GLB meshes with texture or vertex colours."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from sapiens_synth.meshes import vertex_normals

SCAN_SUFFIXES = ('.obj', '.ply', '.glb', '.gltf', '.stl', '.off')
CREASE_DEGREES = 35.0
"""Edges sharper than this keep separate normals on their two sides."""
STANDARD_HEIGHT = 1.7
"""Height that a scan in unknown units is scaled to, metres."""

logger = logging.getLogger('sapiens_synth')


@dataclass
class ScanMesh:
    """A scan in the world.

    Attributes:
        vertices: float32 (V, 3), metres.
        faces: int32 (F, 3).
        normals: Unit vertex normals float32 (V, 3).
        rest: Texture coordinates (V, 3, the last unused) or linear vertex colours (V, 3).
        texture: sRGB uint8 (h, w, 3), or None when ``rest`` holds colours.
        thing: False: this is a person, not an object.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    rest: np.ndarray
    texture: np.ndarray | None
    thing: bool = False

    def shade(
        self, face: np.ndarray, rest: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Albedo (N, 3), labels (all 0: a scan has none) and highlight of hits."""
        n = len(face)
        if self.texture is None:
            albedo = rest
        else:
            albedo = _sample(self.texture, rest[:, 0], 1 - rest[:, 1])
        return albedo, np.zeros(n, np.uint8), np.full(n, 0.05, np.float32)

    def framing_points(self, framing: str) -> np.ndarray:
        """Points of an upright person that a framing shows, by height."""
        y = self.vertices[:, 1]
        share = {'face': 0.86, 'upper': 0.50, 'full': 0.0}[framing]
        cut = y.min() + share * (y.max() - y.min())
        points = self.vertices[y >= cut]
        if framing != 'full':
            # Arms held up or out must not decide: stay near the body's axis.
            axis = np.median(points[:, [0, 2]], axis=0)
            radius = (0.13 if framing == 'face' else 0.35) * (y.max() - y.min()) / STANDARD_HEIGHT
            near = np.linalg.norm(points[:, [0, 2]] - axis, axis=1) < radius * 1.2
            points = points[near] if near.any() else points
        return points[:: max(1, len(points) // 4000)]


def find_scans(folder: str) -> list[str]:
    """Sorted mesh files under a folder.

    Raises:
        ValueError: If the folder is missing or holds no mesh.
    """
    root = Path(folder)
    if root.is_file():
        return [str(root)]
    if not root.is_dir():
        raise ValueError(f'scan folder {folder} does not exist')
    files = sorted(str(p) for p in root.rglob('*') if p.suffix.lower() in SCAN_SUFFIXES)
    if not files:
        raise ValueError(f'scan folder {folder} holds no mesh; expected {", ".join(SCAN_SUFFIXES)}')
    return files


def _linear(color: np.ndarray) -> np.ndarray:
    """Linear light float32 of sRGB values in 0..1."""
    c = color.astype(np.float32)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _linear(np.arange(256) / 255)
"""Linear light of each byte: textures stay bytes, since 8192 x 8192 floats would fill 800 MB."""


def _sample(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Linear RGB (N, 3) of a texture that repeats, bilinear.

    Args:
        texture: sRGB uint8 (h, w, 3).
        u: Coordinates (N,), 0 at the left edge of the picture, 1 at the right one.
        v: Coordinates (N,), 0 at the upper edge, 1 at the lower one.
    """
    h, w = texture.shape[:2]
    # Texel i covers i to i + 1, so its centre lies at i + 0.5.
    x, y = u * w - 0.5, v * h - 0.5
    left, upper = np.floor(x), np.floor(y)
    fx, fy = (x - left)[:, None], (y - upper)[:, None]
    x0, y0 = left.astype(int) % w, upper.astype(int) % h
    x1, y1 = (x0 + 1) % w, (y0 + 1) % h
    top = _LINEAR[texture[y0, x0]] * (1 - fx) + _LINEAR[texture[y0, x1]] * fx
    low = _LINEAR[texture[y1, x0]] * (1 - fx) + _LINEAR[texture[y1, x1]] * fx
    return top * (1 - fy) + low * fy


def _appearance(mesh: trimesh.Trimesh, path: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Per-vertex coordinates and texture of a mesh."""
    visual: Any = mesh.visual
    uv = getattr(visual, 'uv', None)
    material: Any = getattr(visual, 'material', None)
    image = None
    for name in ('baseColorTexture', 'image'):
        image = image if image is not None else getattr(material, name, None)
    if uv is not None and image is not None and len(uv) == len(mesh.vertices):
        texture = np.asarray(image.convert('RGB'))
        return np.column_stack([uv, np.zeros(len(uv))]).astype(np.float32), texture
    if uv is not None:
        if getattr(material, 'baseColorFactor', None) is None:
            logger.warning(
                'scan %s has texture coordinates, but no texture beside it that can be read: '
                'rendered in the flat colour of its material',
                path,
            )
        flat = np.asarray(material.main_color)[:3] / 255.0
        return np.tile(_linear(flat), (len(mesh.vertices), 1)), None
    colors = np.asarray(visual.vertex_colors)[:, :3] / 255.0
    return _linear(colors), None


def read_mesh(path: str, appearance: bool = True) -> trimesh.Trimesh:
    """Read a mesh as it is, in the coordinates of its file.

    Args:
        path: Mesh file.
        appearance: Whether materials and textures are read too.

    Raises:
        ValueError: If the file cannot be read as a mesh with finite triangles.
    """
    try:
        loaded = trimesh.load(path, force='mesh', process=False, skip_materials=not appearance)
    except Exception as error:  # trimesh raises whatever its parsers raise
        raise ValueError(f'scan {path} cannot be read as a mesh: {error}') from error
    if not isinstance(loaded, trimesh.Trimesh) or not len(loaded.faces):
        raise ValueError(f'scan {path} holds no triangles')
    if not np.isfinite(loaded.vertices).all():
        raise ValueError(f'scan {path} has vertices that are not finite numbers')
    if loaded.faces.min() < 0 or loaded.faces.max() >= len(loaded.vertices):
        raise ValueError(
            f'scan {path} has faces that point at missing vertices '
            f'(largest index {loaded.faces.max()}, vertices {len(loaded.vertices)})'
        )
    return loaded


@lru_cache(maxsize=4)
def load_scan(path: str) -> ScanMesh:
    """Read a scan, put it upright on the floor at the origin, in metres.

    Args:
        path: Mesh file. Y is taken as up. A height outside 0.5 to 2.5 is taken as other units and scaled
            to :data:`STANDARD_HEIGHT`.

    Returns:
        The scan, standing on y = 0.

    Raises:
        ValueError: If the file cannot be read as a mesh with finite triangles, or its texture cannot.
    """
    loaded = read_mesh(path)
    try:
        rest, texture = _appearance(loaded, path)
    except Exception as error:  # Pillow reads the texture only now, and raises anything
        raise ValueError(f'scan {path} has a texture that cannot be read: {error}') from error
    vertices = np.asarray(loaded.vertices, np.float64)
    low, high = vertices.min(0), vertices.max(0)
    height = float(high[1] - low[1])
    if height <= 0:
        raise ValueError(f'scan {path} is flat: its height along Y is 0')
    scale = 1.0 if 0.5 <= height <= 2.5 else STANDARD_HEIGHT / height
    middle = 0.5 * (low + high)
    vertices = (vertices - [middle[0], low[1], middle[2]]) * scale
    faces = np.asarray(loaded.faces, np.int32)
    vertices, faces, rest = split_creases(vertices, faces, rest, CREASE_DEGREES)
    normals = smooth_normals(vertices, faces)
    return ScanMesh(vertices.astype(np.float32), faces, normals, rest, texture)


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vertex normals that agree between vertices at one place with like orientation.

    Texture seams double vertices; their normals are averaged again unless a crease parts them.
    """
    own = vertex_normals(vertices, faces)
    _, place = np.unique(np.round(vertices, 6), axis=0, return_inverse=True)
    place = place.reshape(-1)
    total = np.stack([np.bincount(place, own[:, i]) for i in range(3)], 1)[place]
    total = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    alike = (total * own).sum(1) > np.cos(np.radians(CREASE_DEGREES / 2))
    return np.where(alike[:, None], total, own).astype(np.float32)


def split_creases(
    vertices: np.ndarray, faces: np.ndarray, rest: np.ndarray, degrees: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give faces that meet at a sharp edge their own vertices.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        rest: Per-vertex data (V, C), copied along.
        degrees: Largest angle between neighbours that still counts as smooth.

    Returns:
        New vertices, faces and per-vertex data.
    """
    tri = vertices[faces]
    normal = np.cross(tri[:, 1] - tri[:, 0], tri[:, 2] - tri[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    unit = normal / np.maximum(length, 1e-20)
    smooth = vertex_normals(vertices, faces)
    corner = (smooth[faces] * unit[:, None]).sum(-1)
    # Only corners near a crease are split; a scan's smooth skin keeps its vertices.
    sharp = (corner < np.cos(np.radians(degrees))) & (length > 0)
    if not sharp.any():
        return vertices, faces, rest
    # Faces at a split vertex with one orientation share the new vertex.
    key = np.round(unit * 8).astype(int)
    key = (key[:, 0] + 9) * 400 + (key[:, 1] + 9) * 20 + key[:, 2] + 9
    touched = np.zeros(len(vertices), bool)
    touched[faces[sharp]] = True
    f, c = np.nonzero(touched[faces])
    pair = np.stack([faces[f, c], key[f]], 1)
    unique, inverse = np.unique(pair, axis=0, return_inverse=True)
    out = faces.copy()
    out[f, c] = len(vertices) + inverse.reshape(-1)
    return (
        np.concatenate([vertices, vertices[unique[:, 0]]]),
        out.astype(np.int32),
        np.concatenate([rest, rest[unique[:, 0]]]),
    )


def place_scan(scan: ScanMesh, root: np.ndarray) -> ScanMesh:
    """The scan moved by a rigid placement (4, 4)."""
    r = root[:3, :3].astype(np.float32)
    vertices = scan.vertices @ r.T + root[:3, 3].astype(np.float32)
    return ScanMesh(vertices, scan.faces, scan.normals @ r.T, scan.rest, scan.texture)
