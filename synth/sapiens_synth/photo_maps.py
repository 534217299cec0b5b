# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Write depth and normals at the pixels of photos whose cameras and scans are known."""

from __future__ import annotations

import io
import json
import logging
import multiprocessing
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sapiens_common.files.images import image_size
from sapiens_common.files.maps import read_mask
from sapiens_common.files.text import read_json
from sapiens_common.progress import Progress
from sapiens_synth.calibrated import Surface, SurfaceRenderer
from sapiens_synth.dataset import MANIFEST, RECORDS, write_atomic
from sapiens_synth.hi4d import Shot, read_camera
from sapiens_synth.scans import read_mesh

MIN_OVERLAP = 0.7
"""Intersection over union of scan and segmentation below which a photo is left out: another frame, or another
camera than the file says."""

logger = logging.getLogger('sapiens_synth')


def render_photo_maps(shots: Sequence[Shot], out: Path, workers: int = 1) -> dict[str, Any]:
    """Write photos, masks, depth, normals and camera matrices in the folder layout of training.

    ``images/<name>.jpg``, ``masks/<name>.png`` (the scan's pixels inside the segmentation), ``depths/<name>.npz``
    (metres), ``normals/<name>.npz``, ``camera_intrinsics/<name>.txt``; ``val.txt`` lists the names, and
    ``manifest.json`` says how they came about. Photos keep the distortion of their lens. What an earlier run
    has written is kept.

    Args:
        shots: What to render.
        out: Folder to write.
        workers: Processes.

    Returns:
        What the manifest holds.

    Raises:
        ValueError: No photo could be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    by_mesh = [
        (out, list(group))
        for _, group in groupby(sorted(shots, key=lambda s: (s.mesh, s.camera)), lambda s: s.mesh)
    ]
    records: list[dict[str, Any]] = []
    with Progress(total=len(shots), unit='photo') as bar:
        if workers > 1:
            context = multiprocessing.get_context('spawn')
            with ProcessPoolExecutor(workers, context) as pool:
                for found in pool.map(_render_mesh, by_mesh):
                    records += found
                    bar.update(len(found))
        else:
            for task in by_mesh:
                found = _render_mesh(task)
                records += found
                bar.update(len(found))
    good = sorted(record['name'] for record in records if 'problem' not in record)
    skipped = {record['name']: record['problem'] for record in records if 'problem' in record}
    for problem in list(skipped.values())[:10]:
        logger.warning('left out: %s', problem)
    if not good:
        raise ValueError(
            f'{out}: none of {len(shots)} photos could be used, the first: {next(iter(skipped.values()))}'
        )
    manifest = {
        'photos': len(good),
        'skipped': skipped,
        'depth_unit': 'metres, distance from the camera plane',
        'normals': 'X right, Y up, Z to the camera',
        'pixels': 'as in the photos, lens distortion included',
        'mean_overlap': float(
            np.mean([r['overlap'] for r in records if r.get('overlap')] or [1.0])
        ),
    }
    write_atomic(out / 'val.txt', ''.join(f'{name}\n' for name in good).encode())
    write_atomic(out / MANIFEST, (json.dumps(manifest, indent=1) + '\n').encode())
    return manifest


def _render_mesh(task: tuple[Path, list[Shot]]) -> list[dict[str, Any]]:
    """Render one mesh for all its photos; returns a record of each."""
    out, shots = task
    records, renderer = [], None
    for shot in shots:
        path = out / RECORDS / f'{shot.name}.json'
        if path.is_file():
            records.append(read_json(path))
            continue
        try:
            if renderer is None:
                mesh = read_mesh(str(shot.mesh), appearance=False)
                renderer = SurfaceRenderer(
                    np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int32)
                )
            records.append(_render_shot(shot, renderer, out))
        except (ValueError, OSError) as error:
            records.append({'name': shot.name, 'problem': f'{shot.image}: {error}'})
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(records[-1]).encode())
    return records


def _render_shot(shot: Shot, renderer: SurfaceRenderer, out: Path) -> dict[str, Any]:
    """Render one photo's maps and write them; returns its record.

    Raises:
        ValueError: A file cannot be read, or scan and segmentation do not fit.
    """
    size = image_size(shot.image)
    camera = read_camera(shot.cameras, shot.camera, size)
    surface = renderer.render(camera)
    mask, overlap = surface.mask, None
    if shot.mask is not None:
        segmented = read_mask(shot.mask)
        if segmented.shape != size:
            raise ValueError(f'its mask is {segmented.shape}, the photo {size} (height, width)')
        union = int(np.count_nonzero(mask | segmented))
        mask = mask & segmented
        overlap = int(np.count_nonzero(mask)) / max(union, 1)
        if overlap < MIN_OVERLAP:
            raise ValueError(
                f'scan and segmentation overlap by {overlap:.2f} (below {MIN_OVERLAP}); wrong frame, '
                f'camera or direction of the extrinsics in {shot.cameras}'
            )
    if not mask.any():
        raise ValueError(f'the camera sees nothing of {shot.mesh}')
    _write_maps(shot, Surface(mask, surface.depth * mask, surface.normals * mask[..., None]), out)
    matrix = '\n'.join(' '.join(f'{value:.9g}' for value in row) for row in camera.intrinsics)
    _write(out / 'camera_intrinsics' / f'{shot.name}.txt', f'{matrix}\n'.encode())
    return {
        'name': shot.name,
        'overlap': overlap,
        'mesh': shot.mesh.name,
        'distortion': camera.distortion.tolist(),
    }


def _write_maps(shot: Shot, surface: Surface, out: Path) -> None:
    """Write photo, mask, depth and normals."""
    image = out / 'images' / f'{shot.name}{shot.image.suffix}'
    image.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(shot.image, image)
    encoded = cv2.imencode('.png', surface.mask.astype(np.uint8) * 255)[1]
    _write(out / 'masks' / f'{shot.name}.png', encoded.tobytes())
    for folder, values in (('depths', surface.depth), ('normals', surface.normals)):
        buffer = io.BytesIO()
        np.savez_compressed(buffer, values)
        _write(out / folder / f'{shot.name}.npz', buffer.getvalue())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data)
