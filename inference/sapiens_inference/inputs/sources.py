# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Anything a user calls an input, as a sequence of items."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL.Image import Image

from sapiens_common.files.text import read_lines
from sapiens_inference.concurrency import newest
from sapiens_inference.inputs.folders import (
    Found,
    LeftOut,
    find_by_pattern,
    find_in_folder,
    is_pattern,
)
from sapiens_inference.inputs.photos import read_photo, to_bgr
from sapiens_inference.inputs.video import VIDEO_SUFFIXES, open_video, read_video
from sapiens_inference.items import Frame, Item, Video

IsDone = Callable[[str, bool], bool]
"""Tells of a name, and whether it is a video's, if its results are there already."""


@dataclass
class Inputs:
    """Items of a run.

    Attributes:
        items: Iterated once. Files are not yet decoded (see :func:`decode`).
        total: How many items there will be, or None where nobody can know.
        live: Whether items come in real time (a webcam), so that nothing should wait for a batch.
        left_out: Files of folders and patterns that are not inputs, by the reason; complete when the
            items are out.
        there_already: How many files were left alone because their results are there; likewise.
    """

    items: Iterator[Item] = field(default_factory=lambda: iter(()))
    total: int | None = None
    live: bool = False
    left_out: LeftOut = field(default_factory=dict)
    there_already: int = 0


def open_inputs(
    inputs: Any, out_dir: str | Path | None = None, is_done: IsDone | None = None
) -> Inputs:
    """Open any input.

    Args:
        inputs: A BGR array (H, W, 3) or a batch of them (N, H, W, 3); a PIL image; the path of an image, a
            video, a folder (searched recursively, links followed, sorted, upper-case suffixes too) or a
            ``.txt`` list of paths; a glob pattern; the number of a webcam; or an iterable of arrays, PIL
            images and paths.
        out_dir: Where results go. If it lies in a folder of inputs, its content is not an input.
        is_done: Files of which it says so are left alone; None takes all.

    Raises:
        ValueError: The input does not exist, is empty, or is of no known kind.
    """
    if isinstance(inputs, (bool, type(None))):
        raise ValueError(f'cannot read {inputs!r}: expected an array, a path, a webcam number ...')
    if isinstance(inputs, (int, np.integer)):
        return Inputs(_webcam(int(inputs)), live=True)
    if isinstance(inputs, np.ndarray) and inputs.ndim == 4:
        inputs = list(inputs)
    if isinstance(inputs, (np.ndarray, Image)) or hasattr(inputs, 'detach'):  # not a tensor's rows
        inputs = [inputs]
    reader = _Reader(out_dir, is_done)
    opened = reader.opened
    if isinstance(inputs, (str, Path)):
        files = list(reader.named(reader.expand(str(inputs))))
        opened.items, opened.total = _number(_read_files(files)), _count(files)
        return opened
    if isinstance(inputs, bytes) or not isinstance(inputs, Iterable):
        raise ValueError(
            f'cannot read inputs of type {type(inputs).__name__}: expected an array, a path, a '
            'folder, a glob pattern, a video, a webcam number or an iterable of these'
        )
    total = len(inputs) if isinstance(inputs, (list, tuple)) else None
    if total == 0:
        raise ValueError('the list of inputs is empty')
    if total is not None and (is_done or any(_is_container(entry) for entry in inputs)):
        known = not is_done and all(_is_file(entry) for entry in inputs)
        total = _count([(Path(entry), '') for entry in inputs]) if known else None
    opened.items, opened.total = _number(reader.read(inputs)), total
    return opened


def name_inputs(
    place: str | Path | Sequence[str | Path], out_dir: str | Path | None = None
) -> dict[str, Path]:
    """Files that a path, folder, pattern or list stands for, or several do, by the names of their results.

    Raises:
        ValueError: There are none. Of several, those that stand for none are left out, as in the run.
    """
    reader = _Reader(out_dir, None)
    if isinstance(place, (str, Path)):
        return {name: path for path, name in reader.named(reader.expand(str(place)))}
    named: dict[str, Path] = {}
    for entry in place:
        try:
            named.update((name, path) for path, name in reader.files(entry))
        except ValueError:
            reader.names(Path(entry).stem, Path(entry).suffix)
    return named


def decode(item: Item) -> Item:
    """Read the item's file, if it has one and is not decoded yet; failures are noted in the item."""
    if item.image is None and item.error is None and item.path is not None:
        try:
            item.image, notes = read_photo(item.path)
            item.notes.extend(notes)
        except ValueError as error:
            item.fail(str(error))
    return item


class _UniqueNames:
    """Output names that never collide: a.PNG and a.jpg of one folder become a and a_jpg."""

    def __init__(self) -> None:
        self.used = {'summary', 'legend'}  # files beside the results

    def __call__(self, stem: str, suffix: str = '') -> str:
        candidates = [stem, f'{stem}_{suffix.lstrip(".").lower()}' if suffix else stem]
        name = next((name for name in candidates if name.casefold() not in self.used), None)
        number = 2
        while name is None or name.casefold() in self.used:
            name = f'{candidates[-1]}_{number}'
            number += 1
        self.used.add(name.casefold())
        return name


def _number(items: Iterator[Item]) -> Iterator[Item]:
    for index, item in enumerate(items):
        item.index = index
        yield item


def _is_container(entry: Any) -> bool:
    """Whether a list entry stands for several items."""
    if not isinstance(entry, (str, Path)):
        return isinstance(entry, np.ndarray) and entry.ndim == 4
    path = Path(entry)
    return path.is_dir() or _is_video(path) or path.suffix.lower() == '.txt' or is_pattern(path)


def _is_file(entry: Any) -> bool:
    """Whether a list entry is the path of one photo or video."""
    named = isinstance(entry, (str, Path)) and Path(entry).suffix.lower() != '.txt'
    return named and Path(entry).is_file()


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _count(files: list[tuple[Path, str]]) -> int | None:
    """How many items the files make; None if a video does not say."""
    total = 0
    for path, _ in files:
        if _is_video(path):
            try:
                frames = open_video(path, '')[1]
            except ValueError:
                frames = 1  # it will be one failed item
            if frames is None:
                return None
            total += frames
        else:
            total += 1
    return total


def _read_files(files: Iterable[tuple[Path, str]]) -> Iterator[Item]:
    """Items of files with the names of their outputs."""
    for path, name in files:
        if _is_video(path):
            yield from _read_frames(path, name)
        else:
            yield Item(0, name, path=path)


def _read_frames(path: Path, name: str) -> Iterator[Item]:
    try:
        video, _ = open_video(path, name)
    except ValueError as error:
        yield Item(0, name, path=path, error=str(error))
        return
    for frame, image, failure in read_video(video):
        yield Item(0, name, image=image, error=failure, frame=frame)


class _Reader:
    """Turns paths and arrays into items, and keeps account of what is not read.

    Arguments as of :func:`open_inputs`.
    """

    def __init__(self, out_dir: str | Path | None, is_done: IsDone | None) -> None:
        self.out_dir, self.is_done = out_dir, is_done
        self.names = _UniqueNames()
        self.opened = Inputs()

    def expand(self, text: str) -> Found:
        """Files that a path, folder, pattern or list stands for.

        Raises:
            ValueError: There are none.
        """
        if not text:
            raise ValueError('the name of the input is empty')
        path = Path(text).expanduser()
        if path.is_dir() or is_pattern(path):
            find = find_in_folder if path.is_dir() else find_by_pattern
            found = find(path, self.out_dir)
            for reason, entry in found.left_out.items():
                mine = self.opened.left_out.setdefault(reason, {**entry, 'count': 0})
                mine['count'] += entry['count']
            return found
        if not path.is_file():
            raise ValueError(f'input {path} does not exist')
        if path.suffix.lower() == '.txt':
            return Found([path.parent / line for line in read_lines(path)], path.parent)
        return Found([path], path.parent)

    def named(self, found: Found) -> Iterator[tuple[Path, str]]:
        """Files with the names of their outputs, without those whose results are there already."""
        for path in found.paths:
            try:
                relative = path.relative_to(found.root)
            except ValueError:
                relative = Path(path.name)
            # A list may name files elsewhere; outputs stay in their folder.
            if '..' in relative.parts:
                relative = Path(path.name)
            name = self.names(relative.with_suffix('').as_posix(), path.suffix)
            if self.is_done is not None and self.is_done(name, _is_video(path)):
                self.opened.there_already += 1
            else:
                yield path, name

    def files(self, entry: str | Path) -> Iterator[tuple[Path, str]]:
        """Files with the names of their outputs that a list's entry stands for.

        Raises:
            ValueError: There are none.
        """
        path = Path(entry).expanduser()
        found = self.expand(str(entry)) if _is_container(entry) else Found([path], path.parent)
        return self.named(found)

    def read(self, inputs: Iterable[Any]) -> Iterator[Item]:
        """Items of arrays and of anything that :meth:`expand` takes."""
        count = 0
        for entry in inputs:
            if isinstance(entry, (str, Path)):
                try:
                    files = self.files(entry)
                except ValueError as error:
                    path = Path(entry).expanduser()
                    yield Item(0, self.names(path.stem, path.suffix), path=path, error=str(error))
                else:
                    yield from _read_files(files)
                continue
            arrays = list(entry) if isinstance(entry, np.ndarray) and entry.ndim == 4 else [entry]
            for array in arrays:
                yield self._item_of(array, count)
                count += 1

    def _item_of(self, array: Any, count: int) -> Item:
        item = Item(count, self.names(f'image_{count:06d}'))
        try:
            item.image = to_bgr(array, item.label)
        except ValueError as error:
            item.fail(str(error))
        return item


def _webcam(number: int) -> Iterator[Item]:
    """Frames of a webcam until it ends."""
    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise ValueError(f'webcam {number} cannot be opened; is it connected and free?')
        said = camera.get(cv2.CAP_PROP_FPS)  # 0, -1 or NaN where a camera does not know
        rate = Fraction(said if said > 0 else 30).limit_denominator(1001)
        video = Video(f'webcam_{number}', None, rate)
        start = time.monotonic()
        yield from _camera_frames(camera.read, video, lambda: time.monotonic() - start)
    finally:
        camera.release()


def _camera_frames(
    read: Callable[[], tuple[bool, Any]], video: Video, clock: Callable[[], float]
) -> Iterator[Item]:
    """The newest frame each time: a model slower than the camera skips frames and does not fall behind."""

    def frames() -> Iterator[tuple[Any, float]]:
        while True:
            good, image = read()
            if not good:
                return
            yield image, clock()

    for number, (image, taken) in enumerate(newest(frames())):
        yield Item(number, video.name, image=image, frame=Frame(video, number, taken))
