# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One driver at a time: a file in the output folder that the driver renews while it lives."""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
import uuid
from typing import Any

from sapiens_inference.concurrency import is_alive

from .storage import Storage, StorageError

LEASE = 'log/driver.json'
BEAT = 10.0
"""Seconds between two renewals."""
SILENT_BEATS = 4
"""A driver that renews nothing for this many beats is taken for dead. Clocks of machines are not compared."""


class Lease:
    """The right to work on an output folder.

    No storage is asked for locks, which object storage does not have. If two drivers take the folder in the same
    moment, the later writer keeps it, and the other finds that out at its first renewal, a second later.

    Args:
        storage: The output folder.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.content: dict[str, Any] = {}
        self._thread: threading.Thread | None = None
        self._end = threading.Event()
        self._lost: Exception | None = None

    def take(self) -> None:
        """Take the folder, unless this lease has it already; a dead driver's is taken over.

        Raises:
            ValueError: Another driver works on it.
            StorageError: The file cannot be read or written.
        """
        if self._thread is not None:
            return
        self._wait_for_other()
        self.content = {
            'id': uuid.uuid4().hex,
            'host': platform.node(),
            'process': os.getpid(),
            'beats': 0,
        }
        self._lost = None
        self._write()
        self._end.clear()
        self._thread = threading.Thread(target=self._renew, name='sapiens-lease', daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Check that the folder is still ours.

        Raises:
            ValueError: Another driver has taken it.
            StorageError: The lease could not be renewed.
        """
        if self._lost is not None:
            raise self._lost

    def release(self) -> None:
        """Stop renewing and let others have the folder."""
        if self._thread is None:
            return
        self._end.set()
        self._thread.join()
        self._thread = None
        try:
            if self._is_ours():
                self.storage.remove(LEASE)
        except StorageError:
            # The next driver sees that nobody renews it.
            pass

    def _wait_for_other(self) -> None:
        seen = self._read()
        if seen is None or (seen['host'] == platform.node() and not is_alive(seen['process'])):
            return
        other = f'process {seen["process"]} on {seen["host"]}'
        patience = SILENT_BEATS * BEAT
        print(f'annotate: waiting up to {patience:.0f} s to see if {other} lives', file=sys.stderr)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            time.sleep(BEAT / 4)
            now = self._read()
            if now is None:
                return
            if now != seen:
                raise ValueError(
                    f'{self.storage.place} is being labelled by {other}. One driver works on an output folder at '
                    'a time; for more speed give it more --workers'
                )

    def _renew(self) -> None:
        pause = min(BEAT, 1.0)
        while not self._end.wait(pause):
            pause = BEAT
            try:
                if not self._is_ours():
                    raise ValueError(
                        f'another driver has taken {self.storage.place}; this one stops'
                    )
                self.content['beats'] += 1
                self._write()
            except (ValueError, StorageError) as error:
                self._lost = error
                return

    def _is_ours(self) -> bool:
        found = self._read()
        return found is not None and found['id'] == self.content['id']

    def _read(self) -> dict[str, Any] | None:
        try:
            return json.loads(self.storage.read(LEASE))
        except FileNotFoundError:
            return None

    def _write(self) -> None:
        self.storage.write(LEASE, json.dumps(self.content).encode())
