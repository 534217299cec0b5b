# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Coloured point clouds from pointmaps or depth, written by trimesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from .cutouts import foreground_of
from .registry import register_export
from .run_folder import Record, RunFolder
from .writing import stem_path

RELIEF = 0.25
"""Depth of the relief that relative depth is shown as, as a share of the image's height."""
MOST_POINTS = 500_000
"""Larger clouds are thinned evenly: browsers show no more."""


def cloud_of(record: Record) -> tuple[np.ndarray, np.ndarray] | None:
    """Points of the people of an image.

    Returns:
        float32 (N, 3), X right, Y up, Z to the camera (glTF's axes), in metres from a pointmap; from
        relative depth a relief of height 1; and uint8 (N, 3) RGB. None without either map.
    """
    points = record.array('pointmap')
    if points is None:
        depth = record.array('depth')
        if depth is None:
            return None
        points = _relief(depth)
    else:
        points = points * np.array([1, -1, -1], np.float32)
    keep = np.isfinite(points).all(-1) & (np.abs(points).sum(-1) > 0)
    mask = foreground_of(record)
    if mask is not None:
        keep &= mask > 127
    rows, columns = np.nonzero(keep)
    step = -(-len(rows) // MOST_POINTS)
    if step > 1:
        rows, columns = rows[::step], columns[::step]
    colors = record.pixels()[rows, columns, ::-1]
    return points[rows, columns].astype(np.float32), np.ascontiguousarray(colors)


def _relief(depth: np.ndarray) -> np.ndarray:
    """Relative depth as a relief: pixels side by side, the nearest point :data:`RELIEF` in front."""
    height, width = depth.shape
    rows, columns = np.indices(depth.shape)
    x = (columns - (width - 1) / 2) / height
    y = ((height - 1) / 2 - rows) / height
    return np.stack([x, y, RELIEF * (1 - depth)], axis=-1)


def write_cloud(record: Record, path: Path) -> Path | None:
    """Write the cloud of an image as PLY or GLB, whichever the path's suffix says; None if it has no point."""
    found = cloud_of(record)
    if found is None or not len(found[0]):
        return None
    trimesh = _trimesh()
    cloud: Any = trimesh.PointCloud(found[0], colors=found[1])
    scene = trimesh.Scene(cloud) if path.suffix == '.glb' else cloud
    path.write_bytes(scene.export(file_type=path.suffix[1:]))
    return path


def _write(run: RunFolder, out: Path, suffix: str) -> list[Path]:
    logger = MMLogger.get_current_instance()
    written, flat = [], 0
    for record in run.shown('pointmap', 'depth'):
        path = write_cloud(record, stem_path(out, record.stem, suffix))
        if path is None:
            logger.warning(f'{record.stem}: no point of a person, no cloud')
            continue
        flat += record.path('pointmap') is None
        written.append(path)
    if flat:
        logger.warning(f'{flat} clouds are reliefs of relative depth: only pointmaps give metres')
    return written


def _trimesh() -> Any:
    try:
        import trimesh
    except ImportError as error:
        raise ImportError('point clouds need trimesh: pip install trimesh') from error
    return trimesh


@register_export('ply', needs=('pointmap', 'depth'))
def write_ply(run: RunFolder, out: Path) -> list[Path]:
    """PLY point cloud with colours, for mesh tools."""
    return _write(run, out, '.ply')


@register_export('glb', needs=('pointmap', 'depth'))
def write_glb(run: RunFolder, out: Path) -> list[Path]:
    """GLB point cloud with colours, for browsers."""
    return _write(run, out, '.glb')
