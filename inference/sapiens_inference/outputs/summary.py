# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What a run leaves behind: what went in, what failed, with which models, and where the time went."""

from __future__ import annotations

import json
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from sapiens_common.files.atomic import write_text_atomically
from sapiens_inference.inputs.folders import describe_left_out
from sapiens_inference.items import NO_BOXES, NOBODY_FOUND, Item

_DISTRIBUTIONS = ('torch', 'mmengine', 'mmcv', 'mmpose', 'mmdet', 'mmsegmentation', 'numpy')


LEAST_INPUTS = 20
"""The share of failed inputs means nothing before."""
MOST_LINES = 20
"""So many failures are printed; ``summary.json`` has all."""


class Stopwatch:
    """Seconds per stage, summed over threads; stages overlap, so the sum may exceed the wall time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            with self._lock:
                self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


@dataclass
class Summary:
    """Content of ``summary.json``.

    Attributes:
        task: Task or tasks that ran.
        inputs: How many images and frames came in.
        done: How many were finished.
        people: How many boxes were processed, where a task uses boxes.
        nobody_detected: On how many images the detector found no one and the whole image was used.
        without_boxes: How many images the given boxes do not name.
        first_without_boxes: The first of them.
        total: How many images and frames there are, where that is known; more than ``inputs`` if the run
            was stopped.
        there_already: How many images and videos were left alone, because their results were there.
        left_out: Files of the inputs' folders that are not inputs: by the reason their ``count`` and the
            ``first``.
        failed: Input and reason of each failure.
        stopped: Why the run ended before its inputs did; empty if it did not.
        notes: Conversions and assumptions, with how many inputs each concerned.
        models: Config, checkpoint, hash, device, precision and the units of the output by task;
            of the detector too.
        batch_size: The batch size at the end; smaller than asked for after running out of memory.
        seconds: Time per stage, summed over threads.
        wall_seconds: Time of the whole run.
        versions: Versions of the suite and the libraries.
    """

    task: str
    inputs: int = 0
    done: int = 0
    people: int = 0
    nobody_detected: int = 0
    without_boxes: int = 0
    first_without_boxes: str = ''
    total: int | None = None
    there_already: int = 0
    left_out: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: list[dict[str, str]] = field(default_factory=list)
    stopped: str = ''
    notes: dict[str, int] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    batch_size: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    wall_seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        """Count an item that has left the pipeline."""
        self.inputs += 1
        if item.error is not None:
            self.failed.append({'input': item.label, 'error': item.error})
            return
        self.done += 1
        for note in item.notes:
            self.notes[note] = self.notes.get(note, 0) + 1
        if NO_BOXES in item.notes:
            self.first_without_boxes = self.first_without_boxes or item.label
            self.without_boxes += 1
        if item.boxes is not None:
            self.people += len(item.boxes)
            self.nobody_detected += item.boxes.origin == NOBODY_FOUND

    @property
    def no_boxes_fit(self) -> bool:
        """Whether boxes were given that name none of the inputs."""
        return 0 < self.without_boxes == self.done and not self.failed

    def check(self, max_bad_share: float) -> None:
        """Stop a run that goes wrong as a whole.

        Raises:
            ValueError: More than this share of at least :data:`LEAST_INPUTS` inputs failed.
        """
        if self.inputs >= LEAST_INPUTS and len(self.failed) > max_bad_share * self.inputs:
            self.stopped = (
                f'{len(self.failed)} of {self.inputs} inputs failed, more than the share of '
                f'{max_bad_share:g} that is allowed (max_bad_share)'
            )
            raise ValueError(f'{self.stopped}; the last one: {self.failed[-1]["error"]}')

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        content = asdict(self)
        content['seconds'] = {key: round(value, 4) for key, value in self.seconds.items()}
        content['wall_seconds'] = round(self.wall_seconds, 4)
        return content

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            OSError: The disk is full, or the folder cannot be written.
        """
        write_text_atomically(path, json.dumps(self.to_dict(), indent=2) + '\n')

    def __str__(self) -> str:
        rate = self.done / self.wall_seconds if self.wall_seconds else 0.0
        # A video's header may claim more frames than there are, so the total counts only if it was not reached.
        total = self.total if self.stopped and self.total is not None else self.inputs
        text = f'{self.task}: {self.done} of {total} done in {self.wall_seconds:.1f} s'
        text += f' ({rate:.2f} per second)'
        if self.there_already:
            text += f'; results of {self.there_already} were there already'
        if self.without_boxes:
            text += f'; boxes were given for {self.done - self.without_boxes} of {self.done}'
            text += f', the first without: {self.first_without_boxes}'
        if self.nobody_detected:
            text += f'; nobody detected on {self.nobody_detected}, the whole image was used'
        if self.stopped:
            text += f'; stopped: {self.stopped}'
        if self.left_out:
            text += f'\n  left out: {describe_left_out(self.left_out)}'
        for failure in self.failed[:MOST_LINES]:
            text += f'\n  failed: {failure["error"]}'
        if len(self.failed) > MOST_LINES:
            text += f'\n  ... and {len(self.failed) - MOST_LINES} more, see summary.json'
        return text


def library_versions() -> dict[str, str]:
    """Versions of Python, the suite, and the upstream libraries that are installed."""
    from sapiens_common import __version__

    found = {'python': platform.python_version(), 'sapiens-openmmlab': __version__}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
