# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels of a finished run, read back by the data sets of the tasks as if people had made them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sapiens_common.files.text import read_json

from .settings import FORMAT
from .shards import FOLDER, MANIFEST, tar_name

CORRECTIONS = 'corrections.json'
"""File of corrected people by sample key; they replace those of the shards."""


@dataclass
class Person:
    """Keypoints of one person.

    Attributes:
        box: x1, y1, x2, y2 in pixels.
        keypoints: (K, 3), x and y in pixels, and the score of the point.
    """

    box: list[float]
    keypoints: np.ndarray


@dataclass
class Sample:
    """One labelled image.

    Attributes:
        root: The output folder.
        shard: Number of its shard.
        content: Its entry in the shard's manifest: ``key``, ``name``, ``size`` (height, width), ``members``, ``quality``, ...
        people: With keypoints; None where pose did not run.
    """

    root: Path
    shard: int
    content: dict[str, Any]
    people: list[Person] | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """Unique in the output."""
        return self.content['key']

    def file(self, suffix: str) -> Path:
        """Path of a member, as the readers of training data take it: it goes on inside the tar."""
        return self.root / tar_name(self.shard) / f'{self.key}{suffix}'

    def has(self, suffix: str) -> bool:
        """Whether there is such a member."""
        return suffix in self.content['members']

    @property
    def image(self) -> Path:
        """The photo: in the shard, or where the input was."""
        found = next((s for s in self.content['members'] if s.count('.') == 1), None)
        return Path(self.content['input']) if found is None else self.file(found)


def is_manifest(path: str | Path) -> bool:
    """Whether a path is the manifest of a finished run of tools/annotate.py."""
    path = Path(path)
    return path.name == MANIFEST and path.is_file() and (path.parent / FOLDER).is_dir()


def read_samples(manifest: str | Path, people: bool = False) -> Iterator[Sample]:
    """The labelled images, in the order of the inputs.

    Args:
        manifest: ``manifest.json`` of a finished run, on a local disk.
        people: Whether keypoints are read.

    Raises:
        ValueError: The output is of another version, or lacks a shard.
    """
    root = Path(manifest).parent
    content = read_json(manifest)
    if content['settings'].get('format') != FORMAT:
        raise ValueError(f'{manifest} is of another version; expected format {FORMAT}')
    corrected = read_json(root / CORRECTIONS) if (root / CORRECTIONS).is_file() else {}
    for name in content['shards']:
        shard = read_json(root / name)
        found = _people(root, shard) if people else {}
        for sample in shard['samples']:
            key = sample['key']
            here = found.get(key, [])
            if key in corrected:
                here = [_corrected(person) for person in corrected[key]]
            yield Sample(root, shard['shard'], sample, here if people else None)


def _corrected(person: dict[str, Any]) -> Person:
    return Person(person['box'], np.array(person['keypoints'], np.float32).reshape(-1, 3))


def _people(root: Path, shard: dict[str, Any]) -> dict[str, list[Any]]:
    """People of a shard by key."""
    import pyarrow.parquet as parquet

    found: dict[str, list[Any]] = {}
    name = next((name for name in shard['files'] if name.endswith('.parquet')), None)
    if name is None:
        return found
    table = parquet.read_table(root / FOLDER / name)
    count = table.num_rows
    if not count:
        return found
    points = table.column('keypoints').combine_chunks().flatten().to_numpy().reshape(count, -1, 2)
    scores = table.column('scores').combine_chunks().flatten().to_numpy().reshape(count, -1)
    boxes = table.column('box').to_pylist()
    for row, key in enumerate(table.column('key').to_pylist()):
        person = Person(boxes[row], np.column_stack([points[row], scores[row]]))
        found.setdefault(key, []).append(person)
    return found


def names_of(manifest: str | Path, task: str) -> list[str]:
    """Names of the keypoints (``pose``) or classes (``seg``) of a run.

    Raises:
        ValueError: The task did not run.
    """
    root = Path(manifest).parent
    for name in read_json(manifest)['shards']:
        names = read_json(root / name)['names'].get(task)
        if names is not None:
            return list(names)
    raise ValueError(f'{manifest}: the run gave no labels of {task}; annotate with --tasks {task}')


def check_names(manifest: str | Path, task: str, expected: list[str]) -> None:
    """Check that a run's keypoints or classes are those of a data set, in the same order.

    Raises:
        ValueError: They are not.
    """
    names = names_of(manifest, task)
    if names == expected:
        return
    message = f'{manifest} holds {len(names)} names of {task}, the data set expects {len(expected)}'
    for i, (name, wanted) in enumerate(zip(names, expected, strict=False)):
        if name != wanted:
            message += f'; number {i} is {name!r}, not {wanted!r}'
            break
    raise ValueError(
        f'{message}. Annotate with a model that was trained on those of the data set, or choose the data set '
        'of this model'
    )
