# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What there is to label: photos, members of tar shards and ranges of videos, listed but not read."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from sapiens_common.files.text import read_lines
from sapiens_inference.inputs.folders import (
    RESULTS_MARK,
    SUFFIXES,
    describe_left_out,
    find_by_pattern,
    find_in_folder,
    is_pattern,
)
from sapiens_inference.inputs.photos import PHOTO_SUFFIXES
from sapiens_inference.inputs.video import VIDEO_SUFFIXES, import_av
from sapiens_inference.items import file_aliases

from .storage import (
    StorageError,
    absolute,
    errors_of,
    open_file,
    open_place,
    storage_errors,
)

Entry = dict[str, Any]
"""An input: its ``name`` (relative, without suffix) and ``path``. A photo in a tar shard has also ``member``, ``offset`` and ``bytes``;
a range of a video ``start`` and ``stop`` (None for the end), in seconds from its first frame, and its number ``part``."""

SHARD_SUFFIX = '.tar'
_KNOWN = (*SUFFIXES, SHARD_SUFFIX)
PATH_COLUMN = 'path'
"""Column of parquet files that names the inputs."""


class Listing:
    """The inputs, in an order that depends on nothing but their names.

    Args:
        place: Folder, ``.txt`` list, ``.parquet`` with a column ``path``, tar shard, video, photo or glob pattern; local or
            an address of fsspec. Folders may hold photos, videos and tar shards, in sub-folders too.
        out: Where results go; what lies there is not an input.
        range_seconds: Length of the ranges that videos are cut into.
        keep_whole: Tells of a name whether the video stays one range; None cuts all.

    Attributes:
        left_out: One line about files that are not inputs; empty where there are none.
    """

    def __init__(
        self,
        place: str,
        out: str,
        range_seconds: float = 60.0,
        keep_whole: Callable[[str], bool] | None = None,
    ) -> None:
        self.place, self.out = absolute(place), absolute(out)
        self.range_seconds, self.keep_whole = range_seconds, keep_whole
        self.left_out = ''

    def __iter__(self) -> Iterator[Entry]:
        """All inputs.

        Raises:
            ValueError: There are none, or a list or shard cannot be read.
            StorageError: The storage cannot be reached.
        """
        for path, name in self._files():
            suffix = PurePosixPath(path).suffix.lower()
            if suffix == SHARD_SUFFIX:
                yield from _members(path, name)
            elif suffix in VIDEO_SUFFIXES:
                if self.keep_whole is not None and self.keep_whole(name):
                    yield {'name': name, 'path': path, 'part': 0, 'start': 0.0, 'stop': None}
                else:
                    yield from _ranges(path, name, self.range_seconds)
            else:
                yield {'name': name, 'path': path}

    def _files(self) -> Iterator[tuple[str, str]]:
        """Paths and the names of their results."""
        suffix = PurePosixPath(self.place).suffix.lower()
        if suffix == '.txt':
            yield from self._listed(_lines(self.place))
        elif suffix == '.parquet':
            yield from self._listed(_paths_of_parquet(self.place))
        elif '://' not in self.place:
            yield from self._local(Path(self.place))
        else:
            yield from self._remote()

    def _listed(self, lines: Iterator[str]) -> Iterator[tuple[str, str]]:
        """Entries of a list; relative ones start where the list lies."""
        root = self.place.rpartition('/')[0]
        for line in lines:
            is_whole = '://' in line or line.startswith('/')
            name = line.partition('://')[2] or line
            yield (line if is_whole else f'{root}/{line}'), _stem(name.lstrip('/'))

    def _local(self, path: Path) -> Iterator[tuple[str, str]]:
        if path.is_file():
            yield str(path), path.stem
            return
        if not path.is_dir() and not is_pattern(path):
            raise ValueError(f'input {path} does not exist')
        find = find_in_folder if path.is_dir() else find_by_pattern
        found = find(path, self.out, _KNOWN)
        self.left_out = describe_left_out(found.left_out)
        for file in found.paths:
            yield str(file), file.relative_to(found.root).with_suffix('').as_posix()

    def _remote(self) -> Iterator[tuple[str, str]]:
        fs, root = open_place(self.place)
        is_glob = is_pattern(Path(root))
        try:
            with storage_errors(self.place, 'cannot be listed', errors_of(fs)):
                found = fs.glob(root) if is_glob else fs.find(root)
        except FileNotFoundError:
            found = []
        if found == [root]:
            yield self.place, _stem(root.rpartition('/')[2])
            return
        if is_glob:  # names begin after the last folder without a wildcard
            root = ''.join(
                takewhile(lambda part: not is_pattern(Path(part)), re.split('(/)', root))
            )
        marks = [path for path in found if path.endswith(f'/{RESULTS_MARK}')]
        results = (f'{self.out.partition("://")[2].strip("/")}/', *map(_folder, marks))
        others = 0
        empty = True
        for path in sorted(found):
            inside = f'{path.strip("/")}/'.startswith(results)
            if PurePosixPath(path).suffix.lower() in _KNOWN and not inside:
                empty = False
                relative = path.strip('/').removeprefix(root.strip('/')).strip('/')
                yield fs.unstrip_protocol(path), _stem(relative)
            else:
                others += 1
        if empty:
            raise ValueError(f'{self.place} holds no photo, video or tar shard')
        self.left_out = f'{others} x other files' if others else ''


def _folder(path: str) -> str:
    return f'{path.strip("/").rpartition("/")[0]}/'


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix('').as_posix()


def _lines(place: str) -> Iterator[str]:
    """Lines of a list, local or not."""
    if '://' not in place:
        yield from read_lines(place)
        return
    try:
        with open_file(place) as file:
            for line in io.TextIOWrapper(file, 'utf-8'):
                if line.strip() and not line.startswith('#'):
                    yield line.strip()
    except FileNotFoundError:
        raise ValueError(f'list {place} does not exist') from None


def _paths_of_parquet(place: str) -> Iterator[str]:
    """The column of paths, read a batch of rows at a time."""
    import pyarrow
    from pyarrow import parquet

    try:
        with open_file(place) as handle:
            file = parquet.ParquetFile(handle)
            if PATH_COLUMN not in file.schema_arrow.names:
                raise ValueError(
                    f'{place}: expected a column {PATH_COLUMN!r}, found {file.schema_arrow.names}'
                )
            for batch in file.iter_batches(columns=[PATH_COLUMN]):
                yield from (str(value) for value in batch.column(0).to_pylist() if value)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f'{place} cannot be read as parquet: {error}') from error


def _members(path: str, name: str) -> Iterator[Entry]:
    """Photos of a tar shard; only its headers are read.

    Raises:
        ValueError: It is not a readable, uncompressed tar.
    """
    try:
        with open_file(path) as file, tarfile.open(fileobj=file, mode='r:') as archive:
            for member in archive:
                suffix = PurePosixPath(member.name).suffix.lower()
                if member.isfile() and suffix in PHOTO_SUFFIXES:
                    yield {
                        'name': f'{name}/{_stem(member.name)}',
                        'path': path,
                        'member': member.name,
                        'offset': member.offset_data,
                        'bytes': member.size,
                    }
    except (tarfile.TarError, OSError) as error:
        raise ValueError(f'shard {path} is not a readable, uncompressed tar: {error}') from error


@contextmanager
def stored_video(path: str) -> Iterator[Any]:
    """A container of PyAV.

    Raises:
        FileNotFoundError, PermissionError: It does not exist, or may not be read.
        StorageError: It cannot be read.
        av.FFmpegError, ValueError: It is not a video.
    """
    av = import_av()
    try:
        with open_file(path) as file:
            if not file.read(1):  # PyAV fails on it with an error of the file system
                raise ValueError('the file is empty')
            file.seek(0)
            with av.open(file) as container:
                yield container
    except StorageError as error:
        if isinstance(error.__cause__, PermissionError):  # as of a photo, the file's fault
            raise error.__cause__ from None
        raise


def _ranges(path: str, name: str, seconds: float) -> Iterator[Entry]:
    """Ranges of a video, cut by time: the header says how long it is, so nothing else is read.

    A video that cannot be opened is one range, whose worker says what is wrong with it.
    """
    av = import_av()
    length = 0.0
    try:
        with stored_video(path) as container:
            stream = container.streams.video[0]
            if stream.duration:
                length = float(stream.duration * stream.time_base)
            elif container.duration:
                length = container.duration / av.time_base
    except (av.FFmpegError, ValueError, IndexError, FileNotFoundError, PermissionError):
        length = 0.0
    # The header may be a little short; whatever is left belongs to the last range.
    count = max(1, round(length / seconds))
    for part in range(count):
        stop = (part + 1) * seconds if part + 1 < count else None
        yield {'name': name, 'path': path, 'part': part, 'start': part * seconds, 'stop': stop}


def describe(entry: Entry) -> str:
    """An input in one line: its path, and the member or the range."""
    if 'member' in entry:
        return f'{entry["path"]}/{entry["member"]}'
    if 'part' in entry:
        return f'{entry["path"]} part {entry["part"]}'
    return entry['path']


def aliases_of(entry: Entry) -> list[str]:
    """What a file of boxes may call an input, the most exact first; frames of a video have their numbers besides."""
    if 'part' in entry:
        return file_aliases(entry['name'], None)
    place = describe(entry)
    inside = place.partition('://')[2]
    return [place, *file_aliases(entry['name'], PurePath(inside or place))]


def to_line(content: Any) -> str:
    """JSON on one line, the same for the same content."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False) + '\n'
