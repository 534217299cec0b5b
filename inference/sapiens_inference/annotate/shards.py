# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A shard on disk: a tar in webdataset's convention, a table of keypoints, and a manifest that seals both."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sapiens_common.weights import sha256_of

from .storage import Storage

FOLDER = 'shards'
MANIFEST = 'manifest.json'
"""Manifest of the whole output, written when every shard is done."""


def stem(number: int) -> str:
    """Name of a shard's files, without suffix."""
    return f'{number:06d}'


def manifest_name(number: int) -> str:
    """Path of a shard's manifest in the output. It is written last: a shard that has one is complete."""
    return f'{FOLDER}/{stem(number)}.json'


def tar_name(number: int) -> str:
    """Path of a shard's tar, which holds the photos and the dense labels."""
    return f'{FOLDER}/{stem(number)}.tar'


def table_name(number: int) -> str:
    """Path of a shard's table of keypoints, which has one row per person."""
    return f'{FOLDER}/{stem(number)}.parquet'


class TarWriter:
    """Writes a tar that is the same byte for byte on every machine and at any time.

    Args:
        file: Open for writing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._archive = tarfile.open(fileobj=file, mode='w:', format=tarfile.USTAR_FORMAT)

    def add(self, name: str, content: bytes) -> None:
        """Append a file."""
        # Time, user and group of a new TarInfo are zero.
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self._archive.addfile(member, io.BytesIO(content))

    def close(self) -> None:
        """Write the end of the archive."""
        self._archive.close()


def write_table(path: Path, rows: list[dict[str, Any]], names: list[str]) -> None:
    """Write the people of a shard as parquet.

    Args:
        path: File to write.
        rows: See :func:`sapiens_inference.annotate.labels.people_rows`.
        names: Names of the keypoints.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    def numbers(size: int) -> Any:
        return arrow.list_(arrow.float32(), size)

    count = len(names)
    schema = arrow.schema(
        [
            ('key', arrow.string()),
            ('name', arrow.string()),
            ('person', arrow.int32()),
            ('height', arrow.int32()),
            ('width', arrow.int32()),
            ('box', numbers(4)),
            ('box_score', arrow.float32()),
            ('keypoints', numbers(2 * count)),
            ('scores', numbers(count)),
        ],
        metadata={'keypoint_names': json.dumps(names)},
    )
    columns = {}
    for field in schema:
        values = [row[field.name] for row in rows]
        if arrow.types.is_fixed_size_list(field.type):
            flat = np.concatenate(values) if values else np.zeros(0, np.float32)
            columns[field.name] = arrow.FixedSizeListArray.from_arrays(
                arrow.array(flat, arrow.float32()), field.type.list_size
            )
        else:
            columns[field.name] = arrow.array(values, field.type)
    table = arrow.Table.from_arrays(list(columns.values()), schema=schema)
    parquet.write_table(table, path, compression='zstd')


def seal(storage: Storage, number: int, manifest: dict[str, Any]) -> None:
    """Write the manifest of a shard whose files are in place."""
    text = json.dumps(manifest, sort_keys=True, ensure_ascii=False, indent=1) + '\n'
    storage.write(manifest_name(number), text.encode())


def fingerprint(path: Path) -> dict[str, Any]:
    """SHA-256 and size of a file, for a manifest."""
    return {'sha256': sha256_of(path), 'bytes': path.stat().st_size}


def sealed(storage: Storage) -> set[int]:
    """Numbers of the shards that are complete."""
    names = (name.partition('.') for name in storage.names(FOLDER))
    return {int(head) for head, _, tail in names if tail == 'json' and head.isdecimal()}
