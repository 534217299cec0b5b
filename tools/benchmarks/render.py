# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Rendered humans."""

import tempfile
import time
from pathlib import Path

import numpy as np
import trimesh
from benchmarks.harness import Comparison, Settings, Stage, Target, compare
from trimesh.ray.ray_pyembree import RayMeshIntersector

from sapiens_synth import RenderConfig, render_dataset
from sapiens_synth.raycast import RayScene

_TRIMESH = "trimesh's interface to Embree"
_OURS = 'ray scene'


def run(settings: Settings) -> Stage:
    """Time ray casting against trimesh's, and the making of a data set from end to end."""
    stage = Stage('render', 'Images with depth, normals, parts and keypoints, written to disk.')
    stage.comparisons.append(_cast(settings))
    sizes = [((1024, 768), 24, 2.0), ((256, 192), 100, 10.0)]
    if settings.quick:
        sizes = [((64, 48), 2, 10.0)]
    for size, count, wanted in sizes:
        first, both = (_seconds(size, n, settings.workers) for n in (count, 2 * count))
        where = f'{size[0]} x {size[1]}, {settings.workers} workers'
        stage.targets.append(
            Target(f'images per second at {where}', wanted, count / (both - first))
        )
        stage.facts[f'seconds for {count} images at {where}, workers started'] = first
    stage.notes.append(
        'One person per image, the default mix of framings, all files. The rate is that of a run of '
        'twice as many images over one of the first half, so that starting the workers drops out.'
    )
    return stage


def _cast(settings: Settings) -> Comparison:
    """Primary rays of a picture of a sphere as fine as a person."""
    mesh = trimesh.creation.icosphere(subdivisions=2 if settings.quick else 6)
    height, width = (32, 24) if settings.quick else (1024, 768)
    y, x = np.mgrid[-1.3 : 1.3 : height * 1j, -1 : 1 : width * 1j]
    directions = np.stack([x, y, np.full_like(x, 3.0)], -1).reshape(-1, 3)
    origin = np.array([0.0, 0.0, -4.0])
    origins = np.broadcast_to(origin, directions.shape)
    scene, upstream = RayScene([(mesh.vertices, mesh.faces)]), RayMeshIntersector(mesh)

    def ours() -> np.ndarray:
        hits = scene.cast(origin, directions)
        distance = np.full(len(directions), np.inf)
        distance[hits.ray] = hits.t
        return distance

    def theirs() -> np.ndarray:
        points, rays, _ = upstream.intersects_location(origins, directions, multiple_hits=False)
        distance = np.full(len(directions), np.inf)
        distance[rays] = (points[:, 2] - origin[2]) / directions[rays, 2]
        return distance

    def difference(a: np.ndarray, b: np.ndarray) -> float:
        both = np.isfinite(a) & np.isfinite(b)
        # Rays that graze the silhouette may hit for one and miss for the other.
        if (np.isfinite(a) != np.isfinite(b)).mean() > 1e-4:
            return float('inf')
        return float(np.abs(a[both] - b[both]).max())

    return compare(
        f'primary rays, {len(mesh.faces)} triangles',
        {_TRIMESH: theirs, _OURS: ours},
        settings,
        baseline=_TRIMESH,
        unit='ray',
        items=len(directions),
        difference=difference,
        tolerance=1e-3,
    )


def _seconds(size: tuple[int, int], count: int, workers: int) -> float:
    """Time of a whole run but for its imports."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        config = RenderConfig(size=size)
        render_dataset(Path(folder) / 'set', count, config, workers=workers, progress=False)
        return time.perf_counter() - start
