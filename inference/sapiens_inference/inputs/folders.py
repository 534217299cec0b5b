# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Files of a folder or of a glob pattern: links are followed, and what is left out is counted."""

from __future__ import annotations

import glob
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from sapiens_inference.inputs.photos import PHOTO_SUFFIXES
from sapiens_inference.inputs.video import VIDEO_SUFFIXES

RESULTS_MARK = '.sapiens_results'
"""Every folder of results holds this file; such folders are not inputs of a later run."""

SUFFIXES = (*PHOTO_SUFFIXES, *VIDEO_SUFFIXES)

_GLOB = set('*?[')

LeftOut = dict[str, dict[str, Any]]
"""What is not an input: by the reason the ``count`` of paths and the ``first`` of them."""


@dataclass
class Found:
    """What a folder or pattern stands for.

    Attributes:
        paths: The files looked for, sorted.
        root: The folder that the names of outputs are relative to.
        left_out: Everything else, by the reason.
    """

    paths: list[Path]
    root: Path
    left_out: LeftOut = field(default_factory=dict)


def is_pattern(path: Path) -> bool:
    """Whether a path is a glob pattern, and not a file with such a name."""
    return bool(_GLOB & set(str(path))) and not path.exists()


def find_in_folder(
    folder: Path, out_dir: str | Path | None = None, suffixes: Sequence[str] = SUFFIXES
) -> Found:
    """Images and videos of a folder and its sub-folders.

    Args:
        folder: Where to look. Links are followed; a folder that several links lead to counts once.
        out_dir: Where results go. If it lies in the folder, its content is not an input.
        suffixes: Of inputs, in lower case.

    Raises:
        ValueError: There are none.
    """
    found = Found([], folder)
    for path in _walk(folder, _resolved(out_dir), found.left_out):
        _sort_in(path, found, suffixes)
    if not found.paths:
        raise ValueError(
            f'folder {folder} holds no image or video; suffixes looked for, in any case: '
            f'{", ".join(suffixes)}{_but(found.left_out)}'
        )
    found.paths.sort()
    return found


def find_by_pattern(
    pattern: Path, out_dir: str | Path | None = None, suffixes: Sequence[str] = SUFFIXES
) -> Found:
    """Images and videos that a glob pattern matches; ``**`` matches any number of folders.

    Args:
        pattern: The pattern.
        out_dir: As in :func:`find_in_folder`.
        suffixes: Likewise.

    Raises:
        ValueError: There are none.
    """
    root = Path(*takewhile(lambda part: not _GLOB & set(part), pattern.parts))
    found, results = Found([], root), _resolved(out_dir)
    seen: set[str] = set()
    # The shortest way to a file first: a link may lead around in circles.
    matches = glob.glob(str(pattern), recursive=True)
    for name in sorted(matches, key=lambda name: (name.count(os.sep), name)):
        path = Path(name)
        place = os.path.join(os.path.realpath(path.parent), path.name)
        # The system itself gives up on a path that leads around in a circle forty times.
        if os.path.isdir(os.path.realpath(path)) or place in seen:
            continue
        seen.add(place)
        if _is_results(path.parent, root, results):
            _leave_out(found.left_out, 'results of a run', path)
        else:
            _sort_in(path, found, suffixes)
    if not found.paths:
        raise ValueError(f'pattern {pattern} matches no image or video{_but(found.left_out)}')
    found.paths.sort()
    return found


def _walk(folder: Path, results: Path | None, left_out: LeftOut) -> Iterator[Path]:
    """Files below a folder, each once."""
    folders, links = [folder], deque[Path]()
    visited: set[str] = set()
    while folders or links:
        parent = folders.pop() if folders else links.popleft()
        if os.path.realpath(parent) in visited:
            _leave_out(left_out, 'a link to a folder that is read anyway', parent)
            continue
        visited.add(os.path.realpath(parent))
        try:
            entries = sorted(os.scandir(parent), key=lambda entry: entry.name)
        except OSError as error:
            _leave_out(left_out, f'a folder that cannot be read, {error.strerror}', parent)
            continue
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith('.'):
                _leave_out(left_out, 'hidden', path)
            elif not entry.is_dir():
                yield path
            elif _is_results(path, folder, results):
                _leave_out(left_out, 'results of a run', path)
            else:
                (links if entry.is_symlink() else folders).append(path)


def _is_results(folder: Path, root: Path, results: Path | None) -> bool:
    """Whether a folder below the inputs' is one of results, of this run or of any other."""
    for part in (folder, *folder.parents):
        if part == root or root not in part.parents:
            return False  # the inputs' own folder was named on purpose
        if (part / RESULTS_MARK).is_file() or part.resolve() == results:
            return True
    return False


def _sort_in(path: Path, found: Found, suffixes: Sequence[str]) -> None:
    """Take a file as an input, or note why it is none."""
    suffix = path.suffix.lower()
    if not path.exists():
        _leave_out(found.left_out, 'a link that leads nowhere', path)
    elif suffix not in suffixes:
        kind = f'suffix {suffix}' if suffix else 'no suffix'
        _leave_out(found.left_out, kind, path)
    elif not path.is_file():
        _leave_out(found.left_out, 'not a regular file', path)
    else:
        found.paths.append(path)


def _leave_out(left_out: LeftOut, reason: str, path: Path) -> None:
    entry = left_out.setdefault(reason, {'count': 0, 'first': str(path)})
    entry['count'] += 1


def _resolved(folder: str | Path | None) -> Path | None:
    return None if folder is None else Path(folder).resolve()


def _but(left_out: LeftOut) -> str:
    return f'; left out: {describe_left_out(left_out)}' if left_out else ''


def describe_left_out(left_out: LeftOut) -> str:
    """One line that counts what was left out, with an example of each reason."""
    parts = sorted(left_out.items(), key=lambda part: (-part[1]['count'], part[0]))
    return ', '.join(f'{entry["count"]} x {reason} ({entry["first"]})' for reason, entry in parts)
