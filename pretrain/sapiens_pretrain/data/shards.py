# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Images in tar shards: an index for random access, a reader and a writer.

A shard is a plain tar in webdataset's convention (``000000007.jpg``, ``000000007.json``), so other
readers work on it too. Beside it lies ``<shard>.index.npy``: int64 (1 + n, 2), first (bytes of the
tar, n), then (offset, bytes) of every image. It is mapped, never loaded: a data set of any size opens
with one small read per shard, and a sample is one read at a known place. That makes shuffling,
splitting over processes and resuming questions of integers, which streaming readers cannot offer.
"""

import io
import json
import os
import tarfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from mmengine.logging import MMLogger

from sapiens_common.files.atomic import write_atomically
from sapiens_common.files.images import IMAGE_SUFFIXES

HEADER = tarfile.BLOCKSIZE  # the bytes before a member's content


class BadShard(NamedTuple):
    """A shard that is not used, and why."""

    path: str
    error: str


def index_path(shard: Path) -> Path:
    """Where the index of a shard lies."""
    return shard.with_name(f'{shard.name}.index.npy')


def scan_shard(shard: Path) -> np.ndarray:
    """Build a shard's index by reading all its headers.

    Raises:
        ValueError: It is not a tar, is cut off, or holds no image.
    """
    rows = []
    try:
        with tarfile.open(shard, 'r:') as archive:
            for member in archive:
                if member.isfile() and member.name.lower().endswith(IMAGE_SUFFIXES):
                    rows.append((member.offset_data, member.size))
    except (tarfile.TarError, OSError) as error:
        raise ValueError(f'shard {shard} is not a readable, uncompressed tar: {error}') from error
    size = shard.stat().st_size
    if not rows:
        raise ValueError(f'shard {shard} holds no image ({", ".join(IMAGE_SUFFIXES)})')
    if rows[-1][0] + rows[-1][1] > size:
        raise ValueError(
            f'shard {shard} is cut off: it has {size} bytes, its last image ends later'
        )
    return np.array([(size, len(rows)), *rows], dtype=np.int64)


def save_index(shard: Path, index: np.ndarray) -> None:
    """Store a shard's index beside it."""
    write_atomically(index_path(shard), lambda file: np.save(file, index))


def load_index(shard: Path) -> np.ndarray:
    """The index of a shard: mapped from its file, or made (and kept, where the folder allows it).

    Raises:
        ValueError: The shard is unreadable, or not the file that was indexed.
    """
    path = index_path(shard)
    if not path.is_file():
        index = scan_shard(shard)
        try:
            save_index(shard, index)
        except OSError as error:
            MMLogger.get_current_instance().warning(f'index {path} cannot be kept: {error}')
        return index
    try:
        index = np.load(path, mmap_mode='r')
        size, count = (int(value) for value in index[0])
    except (ValueError, TypeError, OSError, EOFError, IndexError) as error:
        raise ValueError(f'index {path} is damaged; delete it to rebuild it: {error}') from error
    if len(index) != 1 + count:
        raise ValueError(f'index {path} is damaged; delete it to rebuild it: {len(index)} rows')
    try:
        found = shard.stat().st_size
    except OSError as error:
        raise ValueError(f'shard {shard} cannot be read: {error}') from error
    if found != size:
        raise ValueError(
            f'shard {shard} has {found} bytes, its index was made for {size}: the copy is incomplete, '
            f'or the shard was rewritten (then delete {path.name})'
        )
    return index


class ShardedImages:
    """The images of many shards as one sequence, read by position.

    Args:
        shards: Tar files, in the order of their images.
        max_bad_share: Share of the shards that may be unreadable. Bad ones are named, left out and
            kept in ``bad_shards``.

    Raises:
        ValueError: Too many shards are bad, or all.
    """

    def __init__(self, shards: Sequence[str | Path], max_bad_share: float = 0.5) -> None:
        logger = MMLogger.get_current_instance()
        self.bad_shards: list[BadShard] = []
        self.shards: list[Path] = []
        counts = []
        for shard in map(Path, shards):
            try:
                counts.append(len(load_index(shard)) - 1)
                self.shards.append(shard)
            except ValueError as error:
                self.bad_shards.append(BadShard(str(shard), str(error)))
                logger.warning(f'shard left out: {error}')
        total = len(self.shards) + len(self.bad_shards)
        if not self.shards or len(self.bad_shards) > max_bad_share * total:
            first = f', the first: {self.bad_shards[0].error}' if self.bad_shards else ''
            raise ValueError(
                f'{len(self.bad_shards)} of {total} shards are unreadable, more than the allowed '
                f'share {max_bad_share:g}{first}'
            )
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        note = f'; {len(self.bad_shards)} shards left out' if self.bad_shards else ''
        logger.info(f'{len(self)} images in {len(self.shards)} shards{note}')
        self._open_caches()

    def _open_caches(self) -> None:
        """Files and indices stay open for the shards used last."""
        self._index = lru_cache(maxsize=256)(load_index)
        self._file = lru_cache(maxsize=64)(lambda shard: shard.open('rb', buffering=0))

    def __getstate__(self) -> dict[str, Any]:
        """State for spawned workers; caches are opened anew there."""
        return {
            name: value for name, value in vars(self).items() if name not in ('_index', '_file')
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open_caches()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def _locate(self, position: int) -> tuple[Path, int]:
        """The shard of an image, and its place among that shard's images."""
        number = int(np.searchsorted(self.starts, position, side='right')) - 1
        return self.shards[number], position - int(self.starts[number])

    def read(self, position: int) -> tuple[str, bytes]:
        """Name (``shard.tar/member``) and encoded bytes of an image.

        Raises:
            ValueError: The shard or its index is damaged.
        """
        shard, place = self._locate(position)
        index = self._index(shard)
        offset, size = (int(value) for value in index[1 + place])
        if offset < HEADER or not 0 <= size <= int(index[0, 0]) - offset:
            raise ValueError(f'index {index_path(shard)} is damaged; delete it to rebuild it')
        # pread has no position to share between forked workers.
        content = os.pread(self._file(shard).fileno(), HEADER + size, offset - HEADER)
        if len(content) < HEADER + size:
            raise ValueError(f'shard {shard} ends within image {place}')
        try:
            member = tarfile.TarInfo.frombuf(content[:HEADER], 'utf-8', 'surrogateescape')
        except tarfile.TarError as error:
            raise ValueError(f'shard {shard} is damaged before image {place}: {error}') from error
        return f'{shard}/{member.name}', content[HEADER:]

    def name(self, position: int) -> str:
        """Name of an image; its number in the shard where that is damaged."""
        try:
            return self.read(position)[0]
        except (ValueError, OSError):
            shard, place = self._locate(position)
            return f'{shard}/image {place}'


def pack_shard(shard: Path, images: Sequence[tuple[str, bytes, dict[str, Any]]]) -> None:
    """Write a shard and its index. Equal images give equal bytes.

    Args:
        shard: File to write; it appears complete or not at all.
        images: (key, encoded bytes, record) each. The key is the member's name without suffix; the
            record, with the original ``name``, becomes the ``.json`` beside the image.

    Raises:
        ValueError: A name has no image suffix, or there is no image.
    """
    if not images:
        raise ValueError(f'shard {shard} would be empty')
    for _, _, record in images:
        if not record['name'].lower().endswith(IMAGE_SUFFIXES):
            raise ValueError(f'{record["name"]} is not an image ({", ".join(IMAGE_SUFFIXES)})')

    def write(file: BinaryIO) -> None:
        with tarfile.open(fileobj=file, mode='w:', format=tarfile.USTAR_FORMAT) as archive:
            for key, content, record in images:
                suffix = Path(record['name']).suffix.lower()
                text = json.dumps(record, sort_keys=True).encode()
                for name, data in ((f'{key}{suffix}', content), (f'{key}.json', text)):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))

    write_atomically(shard, write)
    save_index(shard, scan_shard(shard))
