# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Meshes of the head: skin with openings for eyes and mouth, eyeballs, teeth, tongue, mouth lining."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.spatial import Delaunay

from sapiens_synth import face_curves as fc
from sapiens_synth.head_shape import head_field, trace
from sapiens_synth.meshes import Mesh, both_sides, compact

_CENTER = np.array([0.0, -0.020, -0.005])
_LID_LIFT = fc.EYE_RADIUS + fc.LID_THICKNESS


def _hex(low: tuple[float, float], high: tuple[float, float], step: float) -> np.ndarray:
    rows = np.arange(low[1], high[1], step * np.sqrt(0.75))
    points = []
    for i, y in enumerate(rows):
        x = np.arange(low[0] + (i % 2) * step / 2, high[0], step)
        points.append(np.stack([x, np.full(len(x), y)], 1))
    return np.concatenate(points)


def _to_plane(points: np.ndarray) -> np.ndarray:
    """Azimuthal equidistant chart around the face: (N, 3) -> (N, 2) radians."""
    d = points - _CENTER
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    theta = np.arccos(np.clip(d[:, 2], -1, 1))
    s = np.maximum(np.linalg.norm(d[:, :2], axis=1), 1e-9)
    return d[:, :2] / s[:, None] * theta[:, None]


def _from_plane(q: np.ndarray) -> np.ndarray:
    theta = np.linalg.norm(q, axis=1)
    s = np.where(theta > 1e-9, np.sin(theta) / np.maximum(theta, 1e-9), 1)
    return np.concatenate([q * s[:, None], np.cos(theta)[:, None]], 1)


def lid_height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Z of the lid shell over the left eyeball; -inf beside it."""
    r2 = _LID_LIFT**2 - (np.abs(x) - fc.EYE_CENTER[0]) ** 2 - (y - fc.EYE_CENTER[1]) ** 2
    return np.where(r2 > 0, fc.EYE_CENTER[2] + np.sqrt(np.maximum(r2, 0)), -np.inf)


def _with_lids(points: np.ndarray) -> np.ndarray:
    """Raise skin points over the eyeballs onto the lid shell, blended."""
    z = lid_height(points[:, 0], points[:, 1])
    k = 0.004
    near = (points[:, 2] > 0.04) & np.isfinite(z)
    a, b = points[near, 2], z[near]
    h = np.maximum(k - np.abs(a - b), 0) / k
    out = points.copy()
    out[near, 2] = np.maximum(a, b) + 0.25 * k * h * h * 0.3
    return out


def frontal(xy: np.ndarray) -> np.ndarray:
    """Skin points seen straight from the front at face-plane places (N, 2) -> (N, 3)."""
    origin = np.concatenate([xy, np.full((len(xy), 1), 0.14)], 1).astype(np.float32)
    direction = np.tile(np.array([0, 0, -1], np.float32), (len(xy), 1))
    return _with_lids(trace(head_field(), origin, direction).astype(np.float64))


def _eye_outline(detail: float) -> tuple[np.ndarray, np.ndarray]:
    t = np.linspace(0, 1, max(9, int(28 / detail)))
    return fc.upper_lid(t), fc.lower_lid(t)


def _mouth_outline(detail: float) -> tuple[np.ndarray, np.ndarray]:
    t = np.sin(np.linspace(0, np.pi / 2, max(7, int(18 / detail))))
    return fc.upper_inner_lip(t), fc.lower_inner_lip(t)


def _skin(detail: float) -> tuple[Mesh, dict[str, np.ndarray]]:
    """Left half of the skin; also the vertex ids of the openings' edges."""
    eye_u, eye_l = _eye_outline(detail)
    lip_u, lip_l = _mouth_outline(detail)
    eye = np.concatenate([eye_u, eye_l[1:-1][::-1]])
    lip = np.concatenate([lip_u, lip_l[:-1][::-1]])
    curves3 = frontal(np.concatenate([eye, lip]))
    edge = _to_plane(curves3)
    base = 0.030 * detail
    layers = [
        (0.095, lambda q: np.linalg.norm(q, axis=1) > 0),
        (base * 1.6, lambda q: np.linalg.norm(q * [1.0, 0.8], axis=1) < 1.15),
        (base, lambda q: np.linalg.norm(q * [1.2, 0.9] - [0, -0.05], axis=1) < 0.85),
        (
            base * 0.6,
            lambda q: (
                (np.linalg.norm((q - [0.36, 0.21]) / [1.3, 0.9], axis=1) < 0.2)
                | (np.linalg.norm((q - [0, -0.5]) / [1.3, 0.9], axis=1) < 0.25)
                | (np.linalg.norm((q - [0.06, -0.2]) / [0.9, 1.3], axis=1) < 0.16)
            ),
        ),
    ]
    limit = 0.985 * np.pi
    free = np.zeros((0, 2))
    for i, (step, inside) in enumerate(layers):
        finer = [layer[1] for layer in layers[i + 1 :]]
        grid = _hex((0.55 * step, -np.pi), (np.pi, np.pi), step)
        ok = inside(grid) & (np.linalg.norm(grid, axis=1) < limit - 0.5 * step)
        for other in finer:
            ok &= ~other(grid)
        free = np.concatenate([free, grid[ok]])
    # Keep away from the edges of the openings, drop what falls into them.
    gap = np.sqrt(((free[:, None] - edge[None]) ** 2).sum(-1).min(1))
    spacing = base * 0.45
    lip_hole = np.concatenate([edge[len(eye) :], edge[len(eye) :] * [-1, 1]])
    holes = fc.contains(edge[: len(eye)], free)
    order = np.argsort(np.arctan2(*(lip_hole - lip_hole.mean(0)).T))
    holes |= fc.contains(lip_hole[order], free)
    free = free[(gap > spacing) & ~holes]
    # The middle plane: spacing follows the local layer.
    seam = []
    y = -limit
    while y < limit:
        seam.append(y)
        here = np.array([[0.0, y]])
        step = min(s for s, inside in layers if inside(here)[0] or s == layers[0][0])
        y += step
    seam_q = np.stack([np.zeros(len(seam)), seam], 1)
    gap_u, gap_l = edge[len(eye)][1], edge[-1][1]
    seam_q = seam_q[(seam_q[:, 1] > gap_u + spacing) | (seam_q[:, 1] < gap_l - spacing)]
    ring_angle = np.linspace(-np.pi / 2, np.pi / 2, 26)
    ring = limit * np.stack([np.cos(ring_angle), np.sin(ring_angle)], 1)
    ring[[0, -1], 0] = 0
    q = np.concatenate([edge, seam_q[1:], ring, free])
    tri = Delaunay(q).simplices
    centre = q[tri].mean(1)
    eye_q, lip_q = edge[: len(eye)], edge[len(eye) :]
    bad = fc.contains(eye_q, centre) | fc.contains(lip_q, centre)
    # Slivers between neighbours of one curve.
    area = np.cross(
        np.c_[q[tri[:, 1]] - q[tri[:, 0]], np.zeros(len(tri))],
        np.c_[q[tri[:, 2]] - q[tri[:, 0]], np.zeros(len(tri))],
    )[:, 2]
    tri = tri[~bad & (np.abs(area) > 1e-9)]
    area = area[~bad & (np.abs(area) > 1e-9)]
    tri = np.where((area > 0)[:, None], tri, tri[:, ::-1])
    direction = _from_plane(q)
    origin = _CENTER + 0.22 * direction
    v = trace(head_field(), origin.astype(np.float32), -direction.astype(np.float32)).astype(float)
    v = _with_lids(v)
    v[: len(edge)] = curves3
    v[np.abs(q[:, 0]) < 1e-9, 0] = 0
    # Close the back with one vertex.
    ring_ids = np.arange(len(edge) + len(seam_q) - 1, len(edge) + len(seam_q) - 1 + len(ring))
    pole = len(v)
    v = np.vstack([v, v[ring_ids].mean(0) * [0, 1, 1]])
    fan = np.stack([ring_ids[:-1], np.full(len(ring) - 1, pole), ring_ids[1:]], 1)
    faces = np.concatenate([tri, fan])
    edges = {'eye': np.arange(len(eye)), 'lip': np.arange(len(eye), len(edge))}
    return (v, faces), edges


def _strip(a: np.ndarray, b: np.ndarray, closed: bool) -> np.ndarray:
    """Triangles between two vertex rows of equal length."""
    a2, b2 = (np.roll(a, -1), np.roll(b, -1)) if closed else (a[1:], b[1:])
    a1, b1 = (a, b) if closed else (a[:-1], b[:-1])
    return np.concatenate([np.stack([a1, a2, b2], 1), np.stack([a1, b2, b1], 1)])


def _add_rims(mesh: Mesh, edges: dict[str, np.ndarray]) -> Mesh:
    """Give lids and lips thickness: strips from the openings' edges inwards."""
    # The strips have their own vertices along the edge: a fold, not a rounding, for the normals.
    v, f = mesh
    out_v, out_f = [v], [f]
    count = len(v)

    def add(rows: list[np.ndarray], closed: bool) -> None:
        nonlocal count
        ids = count + np.arange(len(rows) * len(rows[0])).reshape(len(rows), -1)
        out_v.extend(rows)
        out_f.extend(_strip(ids[i + 1], ids[i], closed) for i in range(len(rows) - 1))
        count += ids.size

    eye = v[edges['eye']]
    d = eye - fc.EYE_CENTER
    inner = fc.EYE_CENTER + d / np.linalg.norm(d, axis=1, keepdims=True) * (fc.EYE_RADIUS - 0.0008)
    add([eye, inner], closed=True)
    lip = v[edges['lip']]
    side = np.sign(lip[:, 1:2] - fc.MOUTH_Y) * [0, 1, 0]
    back = np.array([0, 0, 1.0])
    add([lip, lip - 0.004 * back - 0.0008 * side, lip - 0.011 * back + 0.0006 * side], closed=False)
    return np.concatenate(out_v), np.concatenate(out_f)


def _eyeball(detail: float) -> Mesh:
    n = max(8, int(22 / detail))
    theta = np.linspace(0, 0.62 * np.pi, n)[1:]
    phi = np.linspace(0, 2 * np.pi, 2 * n, endpoint=False)
    t, p = np.meshgrid(theta, phi, indexing='ij')
    ring = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], -1).reshape(-1, 3)
    v = np.vstack([[0, 0, 1], ring]) * fc.EYE_RADIUS + fc.EYE_CENTER
    ids = 1 + np.arange(len(ring)).reshape(len(theta), len(phi))
    top = np.stack([np.zeros(len(phi), int), ids[0], np.roll(ids[0], -1)], 1)
    rows = [_strip(ids[i + 1], ids[i], closed=True) for i in range(len(theta) - 1)]
    return v, np.concatenate([top, *rows])


def _teeth(y0: float, y1: float, z0: float, detail: float) -> Mesh:
    """A dental arch between heights ``y0`` < ``y1``; grooves between the teeth are real."""
    n = max(24, int(96 / detail))
    s = np.linspace(-1, 1, n)
    x = 0.0245 * np.sin(s * 1.25) / np.sin(1.25)
    z = z0 - 0.024 * (np.abs(s) ** 2.2)
    groove = np.abs(np.sin(s * 5 * np.pi)) ** 0.35
    rows = []
    for t in np.linspace(0, 1, 6):
        y = y0 + t * (y1 - y0)
        bulge = 0.0012 * np.sin(np.pi * min(max(t, 0.08), 0.92))
        rows.append(np.stack([x, np.full(n, y), z + bulge - 0.0009 * (1 - groove)], 1))
    # A ledge backwards closes the biting edge.
    edge = rows[0] if y1 > fc.MOUTH_Y else rows[-1]
    ledge = edge - [0, 0, 0.006]
    rows = [ledge, *rows] if y1 > fc.MOUTH_Y else [*rows, ledge]
    v = np.concatenate(rows)
    ids = np.arange(len(v)).reshape(len(rows), n)
    return v, np.concatenate(
        [_strip(ids[i], ids[i + 1], closed=False) for i in range(len(rows) - 1)]
    )


def _ellipsoid(centre: tuple, radii: tuple, n: int) -> Mesh:
    theta = np.linspace(0, np.pi, n)
    phi = np.linspace(0, 2 * np.pi, 2 * n, endpoint=False)
    t, p = np.meshgrid(theta, phi, indexing='ij')
    v = np.stack([np.sin(t) * np.cos(p), np.cos(t), np.sin(t) * np.sin(p)], -1).reshape(-1, 3)
    ids = np.arange(len(v)).reshape(len(theta), len(phi))
    f = np.concatenate([_strip(ids[i], ids[i + 1], closed=True) for i in range(n - 1)])
    return v * np.array(radii) + np.array(centre), f


@lru_cache(maxsize=4)
def head_parts(detail: float) -> dict[str, Mesh]:
    """Meshes of the head in the head frame.

    Args:
        detail: Spacing against the finest template, 1 for close-ups, about 3 for full bodies.

    Returns:
        ``skin``, ``eyes``, ``upper_teeth``, ``lower_teeth``, ``tongue``, ``mouth``: vertices and faces,
        oriented outwards (``mouth``, the lining, inwards).
    """
    half, edges = _skin(detail)
    v, f = _add_rims(half, edges)
    skin = both_sides(*compact(v, f), weld=True)
    n = max(8, int(18 / detail))
    lining_v, lining_f = _ellipsoid((0, fc.MOUTH_Y, 0.052), (0.028, 0.017, 0.030), n)
    keep = lining_v[lining_f][:, :, 2].max(1) < 0.0745
    lining = compact(lining_v, lining_f[keep][:, ::-1])
    out = {
        'skin': skin,
        'eyes': both_sides(*_eyeball(detail)),
        'upper_teeth': _teeth(-0.0728, -0.0610, 0.0800, detail),
        'lower_teeth': _teeth(-0.0840, -0.0732, 0.0782, detail),
        'tongue': _ellipsoid((0, -0.0800, 0.0560), (0.0165, 0.0065, 0.0215), n),
        'mouth': lining,
    }
    return {k: (np.asarray(v, np.float32), np.asarray(f, np.int32)) for k, (v, f) in out.items()}
