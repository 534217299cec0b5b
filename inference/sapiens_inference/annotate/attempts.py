# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Finds the input that kills workers: attempts at a shard are counted on disk, and its inputs then tried alone."""

from __future__ import annotations

import json

from .shards import stem
from .storage import Storage

PATIENCE = 5
"""A shard none of whose inputs is at fault is given up after this many times ``tries``."""
_STORED = ('started', 'probed', 'error', 'suspect', 'deaths', 'aside')


class GivenUp(Exception):
    """A shard that is not tried any more."""


class Attempts:
    """The attempts at one shard, as earlier workers have left them.

    A worker writes that it begins and deletes the note when it is done, so what a killed one leaves counts.
    After ``tries`` attempts that did not end, each input is run alone, its position written down
    first: an input on which workers die ``tries`` times more is set aside.

    Args:
        storage: The output folder.
        number: The shard's number.
        tries: How often a shard, and then an input, is tried.
    """

    def __init__(self, storage: Storage, number: int, tries: int) -> None:
        self.storage, self.number, self.tries = storage, number, tries
        self.name = f'log/tries/{stem(number)}.json'
        self.started, self.probed, self.error = 0, 0, ''
        self.suspect: int | None = None
        self.deaths: dict[str, int] = {}
        self.aside: dict[str, str] = {}

    def begin(self) -> None:
        """Count another attempt.

        Raises:
            GivenUp: There were too many.
        """
        try:
            stored = json.loads(self.storage.read(self.name))
        except (FileNotFoundError, json.JSONDecodeError):
            stored = {}
        for name, value in stored.items():
            setattr(self, name, value)
        if self.suspect is not None:
            died = self.deaths[str(self.suspect)] = self.deaths.get(str(self.suspect), 0) + 1
            if died >= self.tries:
                self.set_aside(self.suspect, f'the worker died {died} times on it alone')
            self.suspect = None
        self.started += 1
        self._write()
        if self.started > PATIENCE * self.tries:
            raise GivenUp(
                f'shard {self.number} was tried {self.started - 1} times, and none of its inputs alone is '
                f'at fault. {self.error or "Its workers died without a word: is memory too small?"}'
            )

    @property
    def is_suspicious(self) -> bool:
        """Whether the inputs must be tried one by one."""
        return self.started > self.tries

    def accuse(self, position: int) -> None:
        """Note which input is tried alone now, before it can kill the worker."""
        self.suspect, self.probed = position, position
        self._write()

    def acquit(self, count: int) -> None:
        """Note that all ``count`` inputs were tried alone."""
        self.suspect, self.probed = None, count
        self._write()

    def set_aside(self, position: int, reason: str) -> None:
        """Leave an input out from now on."""
        self.aside[str(position)] = reason

    def failed(self, error: str) -> None:
        """Note why an attempt ended; it counts."""
        self.error = error
        self._write()

    def take_back(self) -> None:
        """The attempt ended by no fault of the inputs: it does not count."""
        self.started -= 1
        self.suspect = None
        self._write()

    def end(self) -> None:
        """The shard is complete."""
        self.storage.remove(self.name)

    def _write(self) -> None:
        content = {name: getattr(self, name) for name in _STORED}
        self.storage.write(self.name, json.dumps(content).encode())
