# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Marker trajectories for OpenSim (TRC)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import MMLogger

from .registry import register_export
from .run_folder import Person, Record, RunFolder
from .writing import stem_path


@register_export('trc', needs=('pose',))
def write_trc(run: RunFolder, out: Path) -> list[Path]:
    """OpenSim TRC, one file per person of a video: metres from pointmaps, else pixels in the plane z = 0.

    X points right, Y up, Z to the camera. With pointmaps of every frame (``--save-frames``) a marker is the point of the
    surface under the keypoint, which lies in front of the joint by the thickness of the limb. Without, units
    are pixels: the file is called ``_2d.trc``, its units are ``px``, and a warning says so.
    """
    tracks: dict[tuple[str, int], list[tuple[Record, Person, np.ndarray | None]]] = {}
    for record in run.records(pixels=False):
        if record.video is None or not record.people:
            continue
        points = record.array('pointmap')
        for person in record.people:
            key = (record.name, -1 if person.track_id is None else person.track_id)
            tracks.setdefault(key, []).append((record, person, _lift(person, points)))
    written = []
    for (name, track), entries in tracks.items():
        metric = all(lifted is not None for _, _, lifted in entries)
        shown = entries if metric else [(r, p, None) for r, p, _ in entries]
        if not metric:
            MMLogger.get_current_instance().warning(
                f'{name}: no pointmap of every frame, so the TRC file holds pixels in a plane, not metres'
            )
        markers = np.stack([_flat(p) if lifted is None else lifted for _, p, lifted in shown])
        suffix = ('' if track < 0 else f'_person{track}') + ('.trc' if metric else '_2d.trc')
        path = stem_path(out, name, suffix)
        numbers = [record.frame or 0 for record, _, _ in entries]
        times = [record.time or 0.0 for record, _, _ in entries]
        _write(path, run.keypoint_names, numbers, times, markers, 'm' if metric else 'px')
        written.append(path)
    return written


def _flat(person: Person) -> np.ndarray:
    """Keypoints (K, 3) in pixels, Y up."""
    return np.column_stack([person.keypoints * (1, -1), np.zeros(len(person.keypoints))])


def _lift(person: Person, points: np.ndarray | None) -> np.ndarray | None:
    """Points (K, 3) in metres under the keypoints, X right, Y up, Z to the camera; None without a map."""
    if points is None:
        return None
    lifted = np.full((len(person.keypoints), 3), np.nan)
    known = np.isfinite(person.keypoints).all(1)
    limits = (points.shape[1] - 1, points.shape[0] - 1)
    columns, rows = np.rint(person.keypoints[known]).clip(0, limits).astype(int).T
    # Pointmaps have Y down and Z forward.
    lifted[known] = points[rows, columns] * (1, -1, -1)
    return lifted


def _write(
    path: Path,
    names: Sequence[str],
    numbers: Sequence[int],
    times: Sequence[float],
    markers: np.ndarray,
    unit: str,
) -> None:
    seconds = times[-1] - times[0]
    rate = (numbers[-1] - numbers[0]) / seconds if seconds > 0 else 1.0  # frames may be missing
    count = len(names)
    lines = [
        f'PathFileType\t4\t(X/Y/Z)\t{path.name}',
        'DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames',
        f'{rate:.4f}\t{rate:.4f}\t{len(times)}\t{count}\t{unit}\t{rate:.4f}\t{numbers[0]}\t{len(times)}',
        'Frame#\tTime\t' + '\t'.join(f'{name}\t\t' for name in names),
        '\t\t' + '\t'.join(f'X{i}\tY{i}\tZ{i}' for i in range(1, count + 1)),
        '',
    ]
    for number, time, row in zip(numbers, times, markers, strict=True):
        cells = ['' if not np.isfinite(value) else f'{value:.5f}' for value in row.ravel()]
        lines.append('\t'.join([str(number), f'{time:.6f}', *cells]))
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')
