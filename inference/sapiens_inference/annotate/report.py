# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Progress of a run while it works, and its report."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from .storage import Storage, StorageError

SLOWEST = 10
"""How many of the slowest inputs are reported."""
LINE_SECONDS = 5.0
"""Seconds between two lines on the terminal."""


class Report:
    """Counts of a run over all its starts, and the speed of this one.

    Args:
        storage: The output folder.
        shards: Number of shards of the whole run.
        inputs: Number of inputs of the whole run.
        workers: Number of workers at a time.
        emit: Takes each line of progress as JSON; None keeps none.
        quiet: Whether nothing is printed.
    """

    def __init__(
        self,
        storage: Storage,
        shards: int,
        inputs: int,
        workers: int,
        emit: Callable[[str], Any] | None = None,
        quiet: bool = False,
    ) -> None:
        self.storage, self.shards, self.inputs, self.workers = storage, shards, inputs, workers
        self.emit, self.quiet = emit, quiet
        self.start, self._said = time.perf_counter(), -LINE_SECONDS
        self.total: Counter[str] = Counter()
        self.flags: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.slowest: list[list[Any]] = []
        self.deaths = 0
        # Images and inputs of this start.
        self.here = self.here_inputs = 0

    def recall(self, answer: dict[str, Any]) -> None:
        """Count a shard of an earlier start, as its report says."""
        for name in ('inputs', 'done', 'aside', 'people', 'bytes', 'wall'):
            self.total[name] += answer.get(name, 0)
        self.total['shards'] += 1
        self.flags.update(answer.get('flags', {}))
        self.seconds.update(answer.get('seconds', {}))
        self.slowest = sorted([*self.slowest, *answer.get('slowest', [])], reverse=True)[:SLOWEST]

    def add(self, answer: dict[str, Any]) -> None:
        """Count a shard that was done now."""
        self.recall(answer)
        self.here += answer['done'] + answer['aside']
        self.here_inputs += answer['inputs']
        self.say('shard', shard=answer['shard'], seconds=answer['wall'])

    @property
    def rate(self) -> float:
        """Images per second of this start."""
        return self.here / max(time.perf_counter() - self.start, 1e-6)

    def say(self, event: str, **more: Any) -> None:
        """Emit a line of progress, and print one to the terminal every few seconds."""
        spent = time.perf_counter() - self.start
        left = self.inputs - self.total['inputs']
        estimate = spent * left / self.here_inputs if self.here_inputs else None
        line = {
            'event': event,
            'time': round(time.time(), 3),
            'shards_done': self.total['shards'],
            'shards': self.shards,
            'done': self.total['done'],
            'aside': self.total['aside'],
            'per_second': round(self.rate, 3),
            'seconds_left': None if estimate is None else round(estimate, 3),
            'deaths': self.deaths,
            **more,
        }
        if self.emit:
            self.emit(json.dumps(line) + '\n')
        if not self.quiet and (event != 'shard' or spent - self._said >= LINE_SECONDS):
            self._said = spent
            text = f'annotate: {line["shards_done"]} of {self.shards} shards, {line["done"]} images'
            text += f', {line["per_second"]:.2f} per second'
            text += '' if estimate is None else f', {_duration(estimate)} left'
            text += f', {line["aside"]} set aside' if line['aside'] else ''
            text += f', {self.deaths} workers lost' if self.deaths else ''
            text += f' ({more["why"]})' if 'why' in more else ''
            print(text, file=sys.stderr, flush=True)

    def to_dict(self) -> dict[str, Any]:
        """The final report. Rates of stages are those of one worker: images divided by the stage's seconds over all workers."""
        done = self.total['done']
        return {
            'shards': self.total['shards'],
            'done': done,
            'aside': self.total['aside'],
            'people': self.total['people'],
            'bytes': self.total['bytes'],
            'bytes_per_image': round(self.total['bytes'] / max(done, 1), 1),
            'flags': dict(sorted(self.flags.items())),
            'seconds': {k: round(v, 3) for k, v in sorted(self.seconds.items())},
            'images_per_second_of_stage': {
                k: round(done / v, 3) for k, v in sorted(self.seconds.items()) if v > 0
            },
            'worker_seconds': round(self.total['wall'], 3),
            'images_per_second_of_worker': round(done / max(self.total['wall'], 1e-6), 3),
            'slowest': self.slowest,
            'this_start': {
                'workers': self.workers,
                'images': self.here,
                'seconds': round(time.perf_counter() - self.start, 3),
                'images_per_second': round(self.rate, 3),
                'workers_lost': self.deaths,
            },
        }

    def write(self) -> None:
        """Write ``log/report.json``. If that fails it is only printed: a finished run must not fail for its report."""
        try:
            text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + '\n'
            self.storage.write('log/report.json', text.encode())
        except StorageError as error:
            print(f'annotate: {error}', file=sys.stderr)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 5400 else f'{seconds / 3600:.1f} h'
