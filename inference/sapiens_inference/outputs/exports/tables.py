# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoints as tables: CSV for spreadsheets and pandas, NPZ for programs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .registry import register_export
from .run_folder import Person, Record, RunFolder
from .writing import stem_path

_PLACE = ('image', 'frame', 'time', 'person', 'track_id')


def _rows(run: RunFolder) -> Iterator[tuple[Record, int, Person]]:
    for record in run.records(pixels=False):
        for number, person in enumerate(record.people or []):
            yield record, number, person


def _place(record: Record, number: int, person: Person) -> list[object]:
    """Cells of :data:`_PLACE`; empty where there is no such thing."""
    time = '' if record.time is None else round(record.time, 4)
    frame = '' if record.frame is None else record.frame
    return [record.name, frame, time, number, '' if person.track_id is None else person.track_id]


def _cell(value: float) -> object:
    return round(value, 3) if np.isfinite(value) else ''


@register_export('csv', needs=('pose',))
def write_csv(run: RunFolder, out: Path) -> list[Path]:
    """CSV with one row per person: box, then x, y and score of every keypoint (``keypoints.csv``)."""
    path = out / 'keypoints.csv'
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        columns = [f'{name}_{part}' for name in run.keypoint_names for part in ('x', 'y', 'score')]
        writer.writerow([*_PLACE, 'x1', 'y1', 'x2', 'y2', 'box_score', *columns])
        for record, number, person in _rows(run):
            points = np.column_stack([person.keypoints, person.scores]).ravel().tolist()
            box = [*person.box.tolist(), person.score]
            writer.writerow(
                [*_place(record, number, person), *map(_cell, box), *map(_cell, points)]
            )
    return [path]


@register_export('csv_long', needs=('pose',))
def write_csv_long(run: RunFolder, out: Path) -> list[Path]:
    """CSV with one row per keypoint: name, x, y, score (``keypoints_long.csv``)."""
    path = out / 'keypoints_long.csv'
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow([*_PLACE, 'keypoint', 'x', 'y', 'score'])
        for record, number, person in _rows(run):
            place = _place(record, number, person)
            points = zip(
                run.keypoint_names, person.keypoints.tolist(), person.scores.tolist(), strict=True
            )
            for name, (x, y), score in points:
                writer.writerow([*place, name, _cell(x), _cell(y), _cell(score)])
    return [path]


@register_export('npz', needs=('pose',))
def write_npz(run: RunFolder, out: Path) -> list[Path]:
    """NPZ, one per video or image: one row per person and frame, in the order of the frames.

    Arrays: ``frame_ids`` (N,), ``times`` (N,) in seconds, ``track_ids`` (N,; -1 for none), ``boxes`` (N, 4) xyxy,
    ``keypoints`` (N, K, 2) in pixels with NaN for points that the model lacks, ``keypoint_scores`` (N, K),
    ``names`` (K,).
    """
    rows: dict[str, list[tuple[Record, Person]]] = {}
    for record in run.records(pixels=False):
        if record.people is not None:
            rows.setdefault(record.name, []).extend((record, p) for p in record.people)
    written = []
    count = len(run.keypoint_names)
    for name, entries in rows.items():
        path = stem_path(out, name, '.npz')
        people = [person for _, person in entries]
        np.savez_compressed(
            path,
            frame_ids=np.array([record.frame or 0 for record, _ in entries], np.int64),
            times=np.array([record.time or 0.0 for record, _ in entries], np.float64),
            track_ids=np.array(
                [-1 if p.track_id is None else p.track_id for p in people], np.int64
            ),
            boxes=np.array([p.box for p in people], np.float32).reshape(-1, 4),
            keypoints=np.array([p.keypoints for p in people], np.float32).reshape(-1, count, 2),
            keypoint_scores=np.array([p.scores for p in people], np.float32).reshape(-1, count),
            names=np.array(run.keypoint_names),
        )
        written.append(path)
    return written
