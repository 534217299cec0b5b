# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Recordings for the Rerun viewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sapiens_common.layouts.goliath308 import links_among

from .clouds import cloud_of
from .registry import register_export
from .run_folder import Record, RunFolder

TALLEST = 720
"""Photos are stored in at most so many rows; points and boxes stay in pixels of the photo."""


@register_export('rrd', needs=('pose', 'seg', 'depth', 'normal', 'pointmap', 'albedo', 'matting'))
def write_rrd(run: RunFolder, out: Path) -> list[Path]:
    """Rerun recording: images, keypoints and links by name, parts, depth, points, on a timeline (``run.rrd``)."""
    try:
        import rerun as rr
    except ImportError as error:
        raise ImportError('Rerun recordings need its SDK: pip install rerun-sdk') from error
    path = out / 'run.rrd'
    recording = rr.RecordingStream('sapiens')
    recording.save(str(path))
    recording.log('/', rr.AnnotationContext(_context(rr, run)), static=True)
    for number, record in enumerate(run.shown()):
        recording.set_time('input', sequence=number)
        if record.time is not None:
            recording.set_time('video', duration=record.time)
        _log(rr, recording, record, run)
    recording.flush()
    recording.disconnect()
    return [path]


def _context(rr: Any, run: RunFolder) -> list[Any]:
    """Names of keypoints (class 0 of the points), and names of the parts."""
    names = run.keypoint_names
    person = rr.ClassDescription(
        info=rr.AnnotationInfo(id=0, label='person'),
        keypoint_annotations=[
            rr.AnnotationInfo(id=number, label=name) for number, name in enumerate(names)
        ],
        keypoint_connections=list(links_among(tuple(names))),
    )
    parts = [
        rr.ClassDescription(info=rr.AnnotationInfo(id=number, label=name))
        for number, name in enumerate(run.class_names)
        if number
    ]
    return [person, *parts]


def _log(rr: Any, recording: Any, record: Record, run: RunFolder) -> None:
    place = record.name
    photo = record.pixels()
    step = max(1, photo.shape[0] // TALLEST)
    shown = np.ascontiguousarray(photo[::step, ::step, ::-1])
    recording.log(f'{place}/photo', rr.Image(shown).compress(jpeg_quality=85))
    # Rerun shows the latest of every path, also of people who have left.
    recording.log(f'{place}/photo/people', rr.Clear(recursive=True))
    for number, person in enumerate(record.people or []):
        name = number if person.track_id is None else person.track_id
        known = np.flatnonzero(np.isfinite(person.keypoints[:, 0]) & (person.scores >= 0.3))
        x1, y1, x2, y2 = person.box / step
        box = rr.Boxes2D(mins=[[x1, y1]], sizes=[[x2 - x1, y2 - y1]], labels=[f'person {name}'])
        recording.log(f'{place}/photo/people/{name}/box', box)
        points = rr.Points2D(
            person.keypoints[known] / step, keypoint_ids=known.tolist(), class_ids=0, radii=1.5
        )
        recording.log(f'{place}/photo/people/{name}/keypoints', points)
    labels, depth = record.array('seg'), record.array('depth')
    if labels is not None:
        recording.log(f'{place}/photo/parts', rr.SegmentationImage(labels[::step, ::step]))
    if depth is not None:  # relative, so there is no camera that it could be unprojected with
        recording.log(f'{place}/depth', rr.DepthImage(depth[::step, ::step]))
    normal = record.array('normal')
    if normal is not None:
        shades = ((normal[::step, ::step] + 1) * 127.5).clip(0, 255).astype(np.uint8)
        recording.log(f'{place}/normals', rr.Image(shades))
    points = record.array('pointmap')
    if points is not None:
        small = points[::step, ::step]
        height, width = small.shape[:2]
        camera = rr.Pinhole(focal_length=focal_length(small), width=width, height=height)
        recording.log(f'{place}/camera', camera)
        recording.log(f'{place}/camera/distance', rr.DepthImage(small[..., 2], meter=1.0))
        found = cloud_of(record)
        if found is not None:
            recording.log(f'{place}/points', rr.Points3D(found[0], colors=found[1]))


def focal_length(points: np.ndarray) -> float:
    """Focal length in pixels, about the middle of the image, that fits a pointmap (H, W, 3) best."""
    height, width = points.shape[:2]
    rows, columns = np.indices((height, width))
    offsets = np.stack([columns - (width - 1) / 2, rows - (height - 1) / 2], -1)
    with np.errstate(divide='ignore', invalid='ignore'):
        slopes = points[..., :2] / points[..., 2:]
    known = np.isfinite(slopes).all(-1) & (points[..., 2] > 0)
    square = float((slopes[known] ** 2).sum())
    return float((slopes[known] * offsets[known]).sum()) / square if square else float(width)
