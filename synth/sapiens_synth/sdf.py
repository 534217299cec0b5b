# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Implicit modelling: rounded primitives, smooth blends and a surface-nets mesher.

Bodies, hands, feet, hair and clothes are sketched with a few dozen primitives whose signed distances
are blended smoothly; the mesher turns the zero level into triangles. Distances are in metres, negative
inside. The primitives and the polynomial smooth minimum are the well-known closed forms of
implicit modelling (I. Quilez, "Distance functions" and "Smooth minimum"); the mesher is naive surface
nets (S. Gibson, "Constrained elastic surface nets", 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

_CHUNK = 512

FAR = 1e3
"""Distance reported where no primitive was evaluated (metres)."""

Field = Callable[[np.ndarray], np.ndarray]
"""Maps points (N, 3) to signed distances (N,)."""


@dataclass(frozen=True)
class RoundCone:
    """Two balls and the tangent cone between them, optionally flattened.

    Attributes:
        a: Centre of the first ball (3,).
        b: Centre of the second ball (3,).
        ra: First radius.
        rb: Second radius.
        k: Blend width with what was placed before, metres.
        flat: Axis scale (3,) of the cross section, 1 = round; the distance becomes a lower bound.
        sign: +1 adds matter, -1 carves it away.
        tag: Bone or region that the primitive belongs to.
    """

    a: tuple[float, float, float]
    b: tuple[float, float, float]
    ra: float
    rb: float
    k: float = 0.02
    flat: tuple[float, float, float] = (1.0, 1.0, 1.0)
    sign: int = 1
    tag: str = ''

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance of points (N, 3)."""
        flat = np.asarray(self.flat, np.float32)
        a = np.asarray(self.a, np.float32)
        axis = (np.asarray(self.b, np.float32) - a) / flat
        p = (points - a) / flat
        length2 = float(axis @ axis)
        if length2 < 1e-12:
            return (np.sqrt(np.einsum('ij,ij->i', p, p)) - max(self.ra, self.rb)) * float(
                flat.min()
            )
        rr = self.ra - self.rb
        a2 = length2 - rr * rr
        y = p @ axis
        z = y - length2
        x2 = np.maximum(length2 * np.einsum('ij,ij->i', p, p) - y * y, 0) * length2
        y2, z2 = y * y * length2, z * z * length2
        k = np.sign(rr) * rr * rr * x2
        body = (np.sqrt(np.maximum(x2 * a2 / length2, 0)) + y * rr) / length2 - self.ra
        tip_b = np.sqrt(np.maximum(x2 + z2, 0)) / length2 - self.rb
        tip_a = np.sqrt(np.maximum(x2 + y2, 0)) / length2 - self.ra
        d = np.where(
            np.sign(z) * a2 * z2 > k, tip_b, np.where(np.sign(y) * a2 * y2 < k, tip_a, body)
        )
        return d * float(flat.min())

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Axis-aligned box, two arrays (3,)."""
        ends = np.array([self.a, self.b], np.float32)
        radius = max(self.ra, self.rb) * np.asarray(self.flat, np.float32)
        return ends.min(0) - radius, ends.max(0) + radius


@dataclass(frozen=True)
class Ellipsoid:
    """Axis-aligned ellipsoid; distance by the usual first-order estimate.

    Attributes:
        c: Centre (3,).
        r: Radii (3,).
        k: Blend width, metres.
        sign: +1 adds matter, -1 carves it away.
        tag: Bone or region that the primitive belongs to.
    """

    c: tuple[float, float, float]
    r: tuple[float, float, float]
    k: float = 0.02
    sign: int = 1
    tag: str = ''

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance of points (N, 3)."""
        r = np.asarray(self.r, np.float32)
        q = (points - np.asarray(self.c, np.float32)) / r
        k0 = np.sqrt(np.einsum('ij,ij->i', q, q))
        q /= r
        k1 = np.sqrt(np.einsum('ij,ij->i', q, q))
        return np.where(k1 > 1e-6, k0 * (k0 - 1) / np.maximum(k1, 1e-6), -float(r.min()))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Axis-aligned box, two arrays (3,)."""
        c, r = np.asarray(self.c, np.float32), np.asarray(self.r, np.float32)
        return c - r, c + r


Primitive = RoundCone | Ellipsoid


def smooth_min(a: np.ndarray, b: np.ndarray, k: float) -> np.ndarray:
    """Polynomial smooth minimum with blend width ``k`` (metres)."""
    if k <= 0:
        return np.minimum(a, b)
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * (k * 0.25)


def mirrored(primitives: Sequence[Primitive]) -> list[Primitive]:
    """The same primitives with x negated, tags ``l_...`` turned into ``r_...``."""
    out: list[Primitive] = []
    for prim in primitives:
        tag = 'r_' + prim.tag[2:] if prim.tag.startswith('l_') else prim.tag
        if isinstance(prim, RoundCone):
            a, b = (-prim.a[0], *prim.a[1:]), (-prim.b[0], *prim.b[1:])
            out.append(RoundCone(a, b, prim.ra, prim.rb, prim.k, prim.flat, prim.sign, tag))
        else:
            out.append(Ellipsoid((-prim.c[0], *prim.c[1:]), prim.r, prim.k, prim.sign, tag))
    return out


def blend(primitives: Sequence[Primitive], margin: float = 0.06) -> Field:
    """Field of a list of primitives, combined in order.

    Args:
        primitives: What to blend; carving primitives act on what came before.
        margin: Primitives further than this from a chunk of points are left out, so the field is a true
            distance only within about this range of the surface.

    Returns:
        Function from points (N, 3) to float32 distances (N,).
    """
    boxes = np.array([prim.bounds() for prim in primitives], np.float32)
    reach = np.array([[margin + prim.k] for prim in primitives], np.float32)
    low, high = boxes[:, 0] - reach, boxes[:, 1] + reach

    def field(points: np.ndarray) -> np.ndarray:
        points = np.asarray(points, np.float32)
        out = np.full(len(points), FAR, np.float32)
        # Neighbours in the list are neighbours in space: most primitives are out of a chunk's reach.
        for start in range(0, len(points), _CHUNK):
            chunk = points[start : start + _CHUNK]
            near = ((chunk.min(0) < high) & (chunk.max(0) > low)).all(1)
            value = out[start : start + _CHUNK]
            for i in np.flatnonzero(near).tolist():
                prim = primitives[i]
                d = prim.distance(chunk).astype(np.float32)
                if prim.sign > 0:
                    value[:] = smooth_min(value, d, prim.k)
                else:
                    value[:] = -smooth_min(-value, d, prim.k)
        return out

    return field


def gradient(field: Field, points: np.ndarray, step: float = 5e-4) -> np.ndarray:
    """Unit gradient of a field at points (N, 3) by the four-point tetrahedron rule."""
    corners = np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float32)
    g = sum(c * field(points + c * step)[:, None] for c in corners)
    return g / np.maximum(np.linalg.norm(g, axis=1, keepdims=True), 1e-12)


def project(field: Field, points: np.ndarray, steps: int = 2) -> np.ndarray:
    """Pull points (N, 3) onto the zero level along the gradient."""
    for _ in range(steps):
        points = points - gradient(field, points) * field(points)[:, None]
    return points


_BLOCK = 4


def _sample(field: Field, low: np.ndarray, shape: np.ndarray, cell: float) -> np.ndarray:
    """Field on a grid; blocks far from the surface get their centre's value only."""
    blocks = -(-shape // _BLOCK)
    corner = np.stack(np.meshgrid(*[np.arange(n) for n in blocks], indexing='ij'), -1).reshape(
        -1, 3
    )
    center = low + cell * (corner * _BLOCK + 0.5 * (_BLOCK - 1))
    coarse = field(center.astype(np.float32))
    # Estimated distances may overstate the true one; half as much again, and the offset of shells.
    near = np.abs(coarse) < 1.5 * (0.5 * np.sqrt(3) * _BLOCK * cell) + 0.03
    value = np.repeat(coarse[:, None], _BLOCK**3, axis=1)
    local = np.stack(np.meshgrid(*[np.arange(_BLOCK)] * 3, indexing='ij'), -1).reshape(-1, 3)
    grid = low + cell * (corner[near, None] * _BLOCK + local)
    value[near] = field(grid.reshape(-1, 3).astype(np.float32)).reshape(-1, _BLOCK**3)
    full = value.reshape(*blocks, _BLOCK, _BLOCK, _BLOCK).transpose(0, 3, 1, 4, 2, 5)
    full = full.reshape(blocks * _BLOCK)
    return full[: shape[0], : shape[1], : shape[2]]


def surface_nets(
    field: Field, low: ArrayLike, high: ArrayLike, cell: float, polish: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Triangulate the zero level of a field inside a box.

    Args:
        field: Signed distance.
        low: Lower corner of the box (3,).
        high: Upper corner (3,).
        cell: Edge length of the sampling grid, metres.
        polish: Newton steps that move the vertices onto the surface.

    Returns:
        Vertices float32 (V, 3) and triangles int32 (F, 3), oriented outwards.
    """
    # Whole multiples of the cell, so that a box symmetric about x = 0 gives a symmetric grid.
    lo = np.floor(np.asarray(low) / cell) * cell
    shape = np.ceil((np.asarray(high) - lo) / cell).astype(int) + 1
    value = _sample(field, lo, shape, cell)
    inside = value < 0
    offsets = np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)])
    corner = [
        inside[o[0] : shape[0] - 1 + o[0], o[1] : shape[1] - 1 + o[1], o[2] : shape[2] - 1 + o[2]]
        for o in offsets
    ]
    count = np.sum(corner, axis=0)
    cells = np.argwhere((count > 0) & (count < 8))
    index = np.full(shape - 1, -1, np.int32)
    index[tuple(cells.T)] = np.arange(len(cells))
    total = np.zeros((len(cells), 3))
    hits = np.zeros(len(cells))
    corner_value = [value[tuple((cells + o).T)] for o in offsets]
    for i in range(8):
        for bit in (1, 2, 4):
            j = i | bit
            if j == i:
                continue
            va, vb = corner_value[i], corner_value[j]
            cross = (va < 0) != (vb < 0)
            t = np.where(cross, va / np.where(cross, va - vb, 1), 0)
            point = offsets[i] + t[:, None] * (offsets[j] - offsets[i])
            total += np.where(cross[:, None], point, 0)
            hits += cross
    vertices = lo + cell * (cells + total / hits[:, None])
    faces = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        first = [slice(1, -1)] * 3
        second = [slice(1, -1)] * 3
        first[axis], second[axis] = slice(0, -1), slice(1, None)
        a, b = inside[tuple(first)], inside[tuple(second)]
        edge = np.argwhere(a != b)
        at = edge.copy()
        at[:, u] += 1
        at[:, v] += 1
        flip = b[tuple(edge.T)]
        eu, ev = np.eye(3, dtype=int)[u], np.eye(3, dtype=int)[v]
        quad = np.stack([index[tuple((at - d).T)] for d in (eu * 0, eu, eu + ev, ev)], 1)
        quad[flip] = quad[flip][:, ::-1]
        faces.append(quad)
    quads = np.concatenate(faces)
    vertices = project(field, vertices.astype(np.float32), polish)
    # The shorter diagonal gives the smoother surface. Exact ties (mirror images) fall alike.
    d0 = np.linalg.norm(vertices[quads[:, 0]] - vertices[quads[:, 2]], axis=1)
    d1 = np.linalg.norm(vertices[quads[:, 1]] - vertices[quads[:, 3]], axis=1)
    tris = np.where(
        (d0 <= d1)[:, None], quads[:, [0, 1, 2, 0, 2, 3]], quads[:, [1, 2, 3, 1, 3, 0]]
    ).reshape(-1, 3)
    return vertices.astype(np.float32), tris.astype(np.int32)
