# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The work, cut into shards once and for all: a file with one line per shard."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .sources import Entry, to_line
from .storage import Storage, open_file

PLAN = 'plan.jsonl'

Shard = dict[str, Any]
"""A piece of work: its number ``shard``, and ``inputs``, some photos or one range of a video."""


def cut(entries: Iterable[Entry], size: int) -> Iterator[Shard]:
    """Shards of ``size`` photos; a range of a video is a shard of its own."""
    number = 0
    photos: list[Entry] = []
    for entry in entries:
        is_range = 'part' in entry
        if photos and (is_range or len(photos) == size):
            yield {'shard': number, 'inputs': photos}
            number, photos = number + 1, []
        if is_range:
            yield {'shard': number, 'inputs': [entry]}
            number += 1
        else:
            photos.append(entry)
    if photos:
        yield {'shard': number, 'inputs': photos}


@dataclass
class Plan:
    """A plan that is written down.

    Attributes:
        storage: The output folder.
        shards: Number of shards.
        inputs: Number of photos and ranges of videos.
        sha256: SHA-256 of the plan's file.
    """

    storage: Storage
    shards: int
    inputs: int
    sha256: str

    def count(self, shard: Shard) -> None:
        """Add a shard to the numbers of shards and inputs."""
        self.shards += 1
        self.inputs += len(shard['inputs'])

    def __iter__(self) -> Iterator[Shard]:
        """The shards, one at a time: a plan of any length takes no memory."""
        with open_file(f'{self.storage.place}/{PLAN}') as file:
            for line in file:
                yield json.loads(line)


def write_plan(storage: Storage, shards: Iterable[Shard]) -> Plan:
    """Write the plan, or compare it with what an earlier start has written.

    Raises:
        ValueError: There is nothing to do, or the inputs are not those of the earlier start.
        StorageError: It cannot be written.
    """
    if storage.exists(PLAN):
        return _compare(Plan(storage, 0, 0, ''), shards)
    plan = Plan(storage, 0, 0, '')
    digest = hashlib.sha256()
    with storage.atomic_path(PLAN) as path, path.open('wb') as file:
        for shard in shards:
            line = to_line(shard).encode()
            file.write(line)
            digest.update(line)
            plan.count(shard)
        if not plan.shards:
            raise ValueError('there is no input')
    plan.sha256 = digest.hexdigest()
    return plan


def _compare(plan: Plan, shards: Iterable[Shard]) -> Plan:
    """Read the plan of an earlier start and check that the inputs of now give the same shards."""
    digest = hashlib.sha256()
    written = iter(plan)
    for now in shards:
        before = next(written, None)
        if before != now:
            raise ValueError(_difference(plan.storage.place, before, now))
        digest.update(to_line(now).encode())
        plan.count(now)
    before = next(written, None)
    if before is not None:
        raise ValueError(_difference(plan.storage.place, before, None))
    plan.sha256 = digest.hexdigest()
    return plan


def _difference(place: str, before: Shard | None, now: Shard | None) -> str:
    lines = [{to_line(e) for e in (shard or {'inputs': []})['inputs']} for shard in (before, now)]
    gone, new = sorted(lines[0] - lines[1]), sorted(lines[1] - lines[0])
    what = f'{gone[0].strip()} is gone' if gone else f'{new[0].strip()} is new'
    return (
        f'{place} was begun with other inputs: {what}. Leave the inputs alone while they are labelled, or '
        'choose another output folder for the changed ones'
    )
