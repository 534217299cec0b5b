# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Numbers of people that hold through a whole video, although its ranges were labelled apart."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from sapiens_inference.engine.tracking import BoxTracker

from .plan import Plan
from .shards import manifest_name, stem, table_name
from .storage import Storage

FOLDER = 'tracks'


def join_tracks(plan: Plan) -> int:
    """Number the people of every video, as if it had been labelled in one piece.

    The boxes of all ranges pass one tracker in the order of the frames. ``tracks/<first shard>.parquet`` holds a row per
    person: ``key`` and ``person`` as in the tables of the shards, ``frame`` from the start of the video, ``time`` in seconds and
    ``track_id``. After a range of which something was set aside ``frame`` is null: nobody knows how many frames it has.
    A file that exists is left alone.

    Returns:
        How many videos there are.
    """
    storage = plan.storage
    done = set(storage.names(FOLDER))
    videos = 0
    for numbers in _videos(plan):
        videos += 1
        name = f'{stem(numbers[0])}.parquet'
        if name not in done and any(storage.exists(table_name(number)) for number in numbers):
            _join(storage, numbers, name)
    return videos


def _videos(plan: Plan) -> Iterator[list[int]]:
    """Shards of each video: its ranges follow each other in the plan."""
    numbers: list[int] = []
    for shard in plan:
        part = shard['inputs'][0].get('part')
        if part in (None, 0) and numbers:
            yield numbers
            numbers = []
        if part is not None:
            numbers.append(shard['shard'])
    if numbers:
        yield numbers


def _join(storage: Storage, numbers: list[int], name: str) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    schema = arrow.schema(
        [
            ('key', arrow.string()),
            ('person', arrow.int64()),
            ('frame', arrow.int64()),
            ('time', arrow.float64()),
            ('track_id', arrow.int64()),
        ]
    )
    tracker = BoxTracker()
    before: int | None = 0  # frames in the ranges so far
    rows: list[dict[str, Any]] = []
    for number in numbers:
        manifest = json.loads(storage.read(manifest_name(number)))
        boxes: dict[str, list[np.ndarray]] = {}
        if table_name(number).rpartition('/')[2] in manifest['files']:
            content = io.BytesIO(storage.read(table_name(number)))
            table = parquet.read_table(content, columns=['key', 'box'])
            for key, box in zip(
                *(table.column(c).to_pylist() for c in ('key', 'box')), strict=True
            ):
                boxes.setdefault(key, []).append(np.array(box, np.float32))
        for sample in manifest['samples']:
            found = np.array(boxes.get(sample['key'], [])).reshape(-1, 4)
            ids = tracker.update(found, sample['time'])
            place = {
                'key': sample['key'],
                'frame': None if before is None else before + sample['frame'],
                'time': sample['time'],
            }
            rows += [
                {**place, 'person': person, 'track_id': track}
                for person, track in enumerate(ids.tolist())
            ]
        if before is not None:
            before = None if manifest['aside'] else before + len(manifest['samples'])
    with storage.atomic_path(f'{FOLDER}/{name}') as path:
        parquet.write_table(arrow.Table.from_pylist(rows, schema), path, compression='zstd')
