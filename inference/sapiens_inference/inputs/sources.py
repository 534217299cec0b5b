# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Anything a user calls an input, as a sequence of items."""

from __future__ import annotations

import glob
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sapiens_common.files.text import read_lines
from sapiens_inference.concurrency import newest
from sapiens_inference.inputs.photos import PHOTO_SUFFIXES, read_photo, to_bgr
from sapiens_inference.inputs.video import VIDEO_SUFFIXES, open_video, read_video
from sapiens_inference.items import Frame, Item, Video

_GLOB = set('*?[')


@dataclass
class Inputs:
    """Items of a run.

    Attributes:
        items: Iterated once. Files are not yet decoded (see :func:`decode`).
        total: How many items there will be, or None where nobody can know.
        live: Whether items come in real time (a webcam), so that nothing should wait for a batch.
    """

    items: Iterator[Item]
    total: int | None
    live: bool = False


def open_inputs(inputs: Any, out_dir: str | Path | None = None) -> Inputs:
    """Open any input.

    Args:
        inputs: A BGR array (H, W, 3) or a batch of them (N, H, W, 3); the path of an image, a
            video, a folder (searched recursively, sorted, upper-case suffixes too) or a ``.txt``
            list of paths; a glob pattern; the number of a webcam; or an iterable of arrays and
            paths.
        out_dir: Where results go. If it lies in a folder of inputs, what is in it is no input.

    Raises:
        ValueError: The input does not exist, is empty, or is of no known kind.
    """
    names = _UniqueNames()
    if isinstance(inputs, (bool, type(None))):
        raise ValueError(f'cannot read {inputs!r}: expected an array, a path, a webcam number ...')
    if isinstance(inputs, (int, np.integer)):
        return Inputs(_webcam(int(inputs)), None, live=True)
    if isinstance(inputs, np.ndarray) and inputs.ndim == 4:
        inputs = list(inputs)
    if isinstance(inputs, np.ndarray):
        inputs = [inputs]
    if isinstance(inputs, (str, Path)):
        paths, root = _expand(str(inputs), out_dir)
        return Inputs(_number(_read_paths(paths, root, names)), _count(paths))
    if not isinstance(inputs, Iterable):
        raise ValueError(
            f'cannot read inputs of type {type(inputs).__name__}: expected an array, a path, a '
            'folder, a glob pattern, a video, a webcam number or an iterable of these'
        )
    total = len(inputs) if isinstance(inputs, (list, tuple)) else None
    if total is not None and any(_is_container(entry) for entry in inputs):
        total = None
    if total == 0:
        raise ValueError('the list of inputs is empty')
    return Inputs(_number(_read_iterable(inputs, names, out_dir)), total)


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
    """Output names that never collide: a.jpg and a.PNG of one folder become a and a_png."""

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
    return path.is_dir() or path.suffix.lower() in (*VIDEO_SUFFIXES, '.txt') or _is_glob(path)


def _is_glob(path: Path) -> bool:
    return bool(_GLOB & set(str(path))) and not path.exists()


def _expand(text: str, out_dir: str | Path | None) -> tuple[list[Path], Path]:
    """Files a path, folder, glob or list stands for, and the folder their names are relative to."""
    path = Path(text).expanduser()
    if path.is_dir():
        found = sorted(p for p in path.rglob('*') if p.is_file() and _known(p))
        found = _outside(found, path, out_dir)
        if not found:
            raise ValueError(
                f'folder {path} holds no image or video; suffixes looked for, in any case: '
                f'{", ".join((*PHOTO_SUFFIXES, *VIDEO_SUFFIXES))}'
            )
        return found, path
    if _is_glob(path):
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
        root = Path(*takewhile(lambda part: not _GLOB & set(part), path.parts))
        found = _outside([p for p in found if p.is_file() and _known(p)], root, out_dir)
        if not found:
            raise ValueError(f'pattern {path} matches no image or video')
        return found, root
    if not path.is_file():
        raise ValueError(f'input {path} does not exist')
    if path.suffix.lower() == '.txt':
        return [path.parent / line for line in read_lines(path)], path.parent
    return [path], path.parent


def _outside(paths: list[Path], root: Path, out_dir: str | Path | None) -> list[Path]:
    """Paths that are no results of an earlier run, which wrote into the inputs' own folder."""
    if out_dir is None:
        return paths
    root, results = root.resolve(), Path(out_dir).resolve()
    if root not in results.parents:  # beside or above: then the input was named on purpose
        return paths
    return [path for path in paths if results not in path.resolve().parents]


def _known(path: Path) -> bool:
    return path.suffix.lower() in (*PHOTO_SUFFIXES, *VIDEO_SUFFIXES)


def _count(paths: list[Path]) -> int | None:
    """How many items the files make; None if a video does not say."""
    total = 0
    for path in paths:
        if path.suffix.lower() in VIDEO_SUFFIXES:
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


def _read_paths(paths: Iterable[Path], root: Path, names: _UniqueNames) -> Iterator[Item]:
    for path in paths:
        try:
            relative = path.relative_to(root)
        except ValueError:
            relative = Path(path.name)
        if '..' in relative.parts:  # a list may name files elsewhere; outputs stay in their folder
            relative = Path(path.name)
        name = names(relative.with_suffix('').as_posix(), path.suffix)
        if path.suffix.lower() in VIDEO_SUFFIXES:
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


def _read_iterable(
    inputs: Iterable[Any], names: _UniqueNames, out_dir: str | Path | None
) -> Iterator[Item]:
    count = 0
    for entry in inputs:
        if isinstance(entry, (str, Path)):
            path = Path(entry).expanduser()
            try:
                paths, root = [path], path.parent
                if _is_container(entry):
                    paths, root = _expand(str(entry), out_dir)
            except ValueError as error:
                yield Item(0, names(path.stem, path.suffix), path=path, error=str(error))
            else:
                yield from _read_paths(paths, root, names)
            continue
        arrays = list(entry) if isinstance(entry, np.ndarray) and entry.ndim == 4 else [entry]
        for array in arrays:
            item = Item(count, names(f'image_{count:06d}'))
            count += 1
            try:
                if not isinstance(array, np.ndarray):
                    raise ValueError(
                        f'{item.label}: expected an array or a path, got {array!r:.60}'
                    )
                item.image = to_bgr(array, item.label)
            except ValueError as error:
                item.fail(str(error))
            yield item


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
