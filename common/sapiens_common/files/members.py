# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Files inside tar shards, under paths such as ``shards/000007.tar/000007_000001.jpg``."""

import io
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO


def open_file(path: Path) -> BinaryIO:
    """Open a file, or a member of a tar, whose path goes on with the member's name, for reading.

    Raises:
        OSError: As opening a file; FileNotFoundError also for a missing member.
    """
    try:
        return path.open('rb')
    except NotADirectoryError:
        shard = path.parent
    offset, size = _members(shard, shard.stat().st_mtime_ns).get(path.name, (0, -1))
    if size < 0:
        raise FileNotFoundError(f'{shard} has no member {path.name}')
    with shard.open('rb') as file:
        file.seek(offset)
        return io.BytesIO(file.read(size))


@lru_cache(maxsize=256)
def _members(shard: Path, changed: int) -> dict[str, tuple[int, int]]:
    """Offset and size of each member, from the headers of a tar in the state that it was in when ``changed``."""
    try:
        with tarfile.open(shard, 'r:') as archive:
            return {member.name: (member.offset_data, member.size) for member in archive}
    except tarfile.TarError as error:
        raise OSError(f'{shard} is not a readable tar: {error}') from error
