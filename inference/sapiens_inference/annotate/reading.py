# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From entries of the plan to decoded items, read and decoded ahead in threads."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from sapiens_common.weights import sha256_of
from sapiens_inference.concurrency import ordered_map
from sapiens_inference.inputs.photos import decode_photo
from sapiens_inference.inputs.video import import_av, upright
from sapiens_inference.items import Frame, Item, Video
from sapiens_inference.outputs.summary import Stopwatch

from .sources import Entry, aliases_of, describe, stored_video
from .storage import (
    OF_THE_FILE,
    StorageError,
    errors_of,
    open_file,
    open_place,
    patiently,
    reason_of,
)

SEEK_MARGIN = 1.0
"""Decoding starts at least this many seconds before a range, because frames are not stored in the order of their times."""
AHEAD_BYTES = 1 << 29
"""Most bytes of decoded photos that wait for the model."""


@dataclass
class LabelItem(Item):
    """An input, with what its shard's manifest will hold about it.

    Attributes:
        entry: The input in the plan.
        encoded: The file's content; empty for frames.
        sha256: SHA-256 of the content. The first frame of a video has that of the whole file, other frames none.
        seconds: Seconds that reading and decoding took.
    """

    entry: Entry = field(default_factory=dict)
    encoded: bytes = b''
    sha256: str = ''
    seconds: float = 0.0

    @property
    def aliases(self) -> list[str]:
        """As of any item; photos in tar shards and at addresses are called by the ends of their paths too."""
        return aliases_of(self.entry) if self.frame is None else super().aliases


class Reader:
    """Items of a shard, in order, with bounded memory.

    Args:
        entries: Inputs of the shard.
        threads: Number of threads that read and decode.
        watch: Adds up the seconds of reading and decoding.

    Attributes:
        missing: Inputs so far that do not exist or may not be read.
    """

    def __init__(self, entries: Sequence[Entry], threads: int, watch: Stopwatch) -> None:
        self.entries, self.threads, self.watch = entries, threads, watch
        self.missing: list[str] = []

    def __iter__(self) -> Iterator[LabelItem]:
        """The items. One that cannot be read has an ``error``.

        Raises:
            StorageError: The storage failed, which is not the fault of an input.
        """
        if 'part' in self.entries[0]:
            yield from self._frames(self.entries[0])
            return
        with ThreadPoolExecutor(self.threads, 'sapiens-read') as pool:
            yield from ordered_map(
                self._photo, enumerate(self.entries), pool, self.threads + 1, _weight, AHEAD_BYTES
            )

    def check(self) -> None:
        """Take missing inputs for a failure of the storage if they are most of the shard.

        Raises:
            StorageError: More than half of the inputs do not exist or may not be read.
        """
        if 2 * len(self.missing) > len(self.entries):
            raise StorageError(
                f'{len(self.missing)} of {len(self.entries)} inputs are not there or may not be read, the '
                f'first: {self.missing[0]}. Is their storage gone, or are credentials out of date? If they '
                'are gone for good, choose another output folder and leave them out of the input'
            )

    def _photo(self, numbered: tuple[int, Entry]) -> LabelItem:
        index, entry = numbered
        start = time.perf_counter()
        path = None if '://' in entry['path'] or 'member' in entry else Path(entry['path'])
        item = LabelItem(index, entry['name'], path, entry=entry)
        try:
            with self.watch('read'):
                item.encoded = read_bytes(entry)
            item.sha256 = hashlib.sha256(item.encoded).hexdigest()
            with self.watch('decode'):
                item.image, item.notes = decode_photo(item.encoded, describe(entry))
        except FileNotFoundError:
            self.missing.append(describe(entry))
            item.fail(f'{describe(entry)} does not exist any more')
        except PermissionError as error:
            self.missing.append(describe(entry))
            item.fail(f'{describe(entry)} may not be read ({reason_of(error)})')
        except (ValueError, IsADirectoryError) as error:
            item.fail(str(error))
        item.seconds = time.perf_counter() - start
        return item

    def _frames(self, entry: Entry) -> Iterator[LabelItem]:
        start = time.perf_counter()
        frames = read_range(entry)
        number = 0
        while True:
            item = LabelItem(number, entry['name'], entry=entry)
            try:
                with self.watch('decode'):
                    found = next(frames, None)
                    if found is None:
                        return
                    if number == 0 and entry['part'] == 0:
                        item.sha256 = _hash_of_file(entry['path'])
                item.frame, item.image = found
            except FileNotFoundError:
                self.missing.append(entry['path'])
                item.fail(f'{entry["path"]} does not exist any more')
            except PermissionError as error:
                self.missing.append(entry['path'])
                item.fail(f'{entry["path"]} may not be read ({reason_of(error)})')
            except ValueError as error:
                # What was read so far is good; the rest of the range is lost.
                item.fail(f'{describe(entry)}: reading stopped after {number} frames ({error})')
            item.seconds, start = time.perf_counter() - start, time.perf_counter()
            yield item
            if item.error is not None:
                return
            number += 1


def _weight(numbered: tuple[int, Entry]) -> int:
    """Estimated bytes of a photo once it is decoded; 0 if the size of its file is not in the plan."""
    return 10 * numbered[1].get('bytes', 0)


def read_bytes(entry: Entry) -> bytes:
    """Content of a photo's file.

    Raises:
        FileNotFoundError, PermissionError, IsADirectoryError: The file does not exist or may not be read.
        ValueError: The tar that holds it is cut off.
        StorageError: The storage failed at every attempt.
    """
    fs, path = open_place(entry['path'])
    window = {}
    if 'member' in entry:
        window = {'start': entry['offset'], 'end': entry['offset'] + entry['bytes']}
    errors = errors_of(fs)
    try:
        content = patiently(lambda: fs.cat_file(path, **window), errors)
    except OF_THE_FILE:
        raise
    except errors as error:
        raise StorageError(f'{describe(entry)} cannot be read ({reason_of(error)})') from error
    if len(content) < entry.get('bytes', 0):
        raise ValueError(f'{describe(entry)}: the shard is cut off')
    return content


def _hash_of_file(path: str) -> str:
    with open_file(path) as file:
        return sha256_of(file)


def read_range(entry: Entry) -> Iterator[tuple[Frame, np.ndarray]]:
    """The frames of a video from ``start`` (inclusive) to ``stop`` (exclusive), upright.

    They equal those of a reading of the whole video. Their numbers count from the start of the range.

    Raises:
        FileNotFoundError: The video does not exist.
        StorageError: It cannot be read.
        ValueError: It is not a video, or is damaged.
    """
    av = import_av()
    path, low, high = entry['path'], entry['start'], entry['stop']
    try:
        with stored_video(path) as container:
            if not container.streams.video:
                raise ValueError('the file has no video stream')
            stream = container.streams.video[0]
            stream.thread_type = 'AUTO'
            rate = Fraction(stream.average_rate or stream.base_rate or 25)
            video = Video(entry['name'], Path(path) if '://' not in path else None, rate)
            origin = float((stream.start_time or 0) * stream.time_base)
            if low > SEEK_MARGIN:
                target = int((origin + low - SEEK_MARGIN) / stream.time_base)
                container.seek(target, stream=stream, backward=True)
            number = 0
            for decoded in container.decode(stream):
                if decoded.time is None:
                    raise ValueError('its frames have no times')
                # Times are multiples of the time base; a little slack keeps a frame on its side of the cut.
                shown = decoded.time - origin + 1e-6
                if high is not None and shown >= high:
                    return
                if entry['part'] and shown < low:
                    continue
                yield Frame(video, number, round(shown - 1e-6, 6)), upright(decoded)
                number += 1
    except av.FFmpegError as error:
        raise ValueError(getattr(error, 'strerror', None) or str(error)) from error
