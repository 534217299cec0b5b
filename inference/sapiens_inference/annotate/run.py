# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The driver: gives shards to workers, replaces those that die, and seals the output when all is done.

Everything it knows lies in the output folder, so it may be killed at any moment and started again:

    settings.json     what the labels depend on; another start with other settings is refused
    plan.jsonl        the inputs, cut into shards
    shards/N.tar      photos and dense labels;  N.parquet  keypoints;  N.json  the manifest, written last
    tracks/N.parquet  people numbered through the video that begins with shard N
    manifest.json     hashes of all manifests, written when everything is done
    log/              what differs from run to run: times, attempts, the report, who is driving
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sapiens_inference.inputs.folders import RESULTS_MARK

from .engines import Engine, Worker, WorkerDied
from .lease import Lease
from .names import names_in
from .plan import PLAN, Plan, Shard, cut, write_plan
from .report import Report
from .settings import SETTINGS, Settings, check_settings
from .shards import FOLDER, MANIFEST, manifest_name, sealed, stem
from .sources import Listing
from .storage import Storage, StorageError, storage_errors
from .tracks import join_tracks

LEAST_INPUTS = 20
"""Inputs after which the share that was set aside is judged; of fewer it says little."""
MOST_DEATHS = 20
"""The run ends when workers die this many times on average with no shard done in between."""
STORAGE_PAUSE = 30.0
"""Seconds that a worker rests whose storage failed while that of others did not."""


class Run:
    """Labels for everything in a place.

    Args:
        place: The inputs, see :class:`Listing`.
        output: Folder of the labels, local or an address of fsspec.
        settings: How to label.

    Attributes:
        plan: The shards.
        settings_id: SHA-256 of the settings.

    Raises:
        ValueError: There are no inputs, boxes were given for none of them, the folder was begun with other
            settings or inputs, or another driver works on it.
        StorageError: Something cannot be read or written.
    """

    def __init__(self, place: str, output: str, settings: Settings) -> None:
        self.storage = Storage(output)
        self.lease = Lease(self.storage)
        names = names_in(settings.boxes)
        keep_whole = names.number_frames_of if names else None
        listing = Listing(place, self.storage.place, settings.range_seconds, keep_whole)
        described = settings.described(listing.place)
        self.lease.take()
        try:
            self.settings_id = check_settings(self.storage, described)
            entries = names.check(listing) if names else listing
            self.plan: Plan = write_plan(self.storage, cut(entries, settings.per_shard))
            self.storage.write(f'{FOLDER}/{RESULTS_MARK}', b'{}')  # no input of a later run
        except BaseException as error:
            if isinstance(error, ValueError) and not self.storage.exists(PLAN):
                self.storage.remove(SETTINGS)  # nothing was begun
            self.lease.release()
            raise
        self.left_out = listing.left_out

    def run(
        self,
        engine: Engine,
        max_bad_share: float = 0.1,
        timeout: float | None = None,
        quiet: bool = False,
    ) -> Report:
        """Do what is left to do.

        Args:
            engine: Where workers live.
            max_bad_share: Stop when more of the inputs have been set aside, after the first twenty.
            timeout: Seconds that a shard may take before its worker is ended; None for any.
            quiet: Whether nothing is printed.

        Returns:
            The report of the whole run.

        Raises:
            ValueError: Too large a share was set aside, the models cannot be loaded, workers die again and
                again, or another driver has taken the folder. The text says what to do; the same command continues.
            StorageError: Something cannot be read or written; likewise.
        """
        self.lease.take()
        try:
            return self._run(engine, max_bad_share, timeout, quiet)
        finally:
            self.lease.release()

    def _run(
        self, engine: Engine, max_bad_share: float, timeout: float | None, quiet: bool
    ) -> Report:
        with _log_lines(self.storage) as emit:
            report = Report(
                self.storage, self.plan.shards, self.plan.inputs, engine.workers, emit, quiet
            )
            done = sealed(self.storage)
            for number in sorted(done):
                report.recall(self._recall(number))
            dispatcher = _Dispatcher(
                self,
                report,
                max_bad_share,
                timeout,
                (s for s in self.plan if s['shard'] not in done),
            )
            dispatcher.check_share()
            report.say('start')
            if report.total['shards'] < self.plan.shards:
                dispatcher.work(engine)
            self.lease.check()
            videos = join_tracks(self.plan)
            report.total['videos'] = videos
            for folder in (FOLDER, 'log/tries', 'log/shards'):
                self.storage.remove_partial(folder)
            self._seal()
            report.write()
            report.say('end')
        return report

    def _recall(self, number: int) -> dict[str, Any]:
        """The report of a shard that an earlier start has done.

        If the driver died between the manifest and the report, the manifest's counts are all there is.
        """
        try:
            return json.loads(self.storage.read(f'log/shards/{stem(number)}.json'))
        except (FileNotFoundError, json.JSONDecodeError):
            manifest = json.loads(self.storage.read(manifest_name(number)))
            done, aside = len(manifest['samples']), len(manifest['aside'])
            return {'shard': number, 'inputs': done + aside, 'done': done, 'aside': aside}

    def _seal(self) -> None:
        """Write the manifest of the whole output."""
        shards = {}
        for shard in self.plan:
            name = manifest_name(shard['shard'])
            shards[name] = hashlib.sha256(self.storage.read(name)).hexdigest()
        content = {
            'settings': json.loads(self.storage.read(SETTINGS)),
            'settings_sha256': self.settings_id,
            'plan_sha256': self.plan.sha256,
            'shards': shards,
        }
        self.storage.write(
            MANIFEST, (json.dumps(content, sort_keys=True, indent=1) + '\n').encode()
        )


class _Dispatcher:
    """Hands the shards of one start of a run to the workers: a thread per worker gives it one after the other."""

    def __init__(
        self,
        run: Run,
        report: Report,
        max_bad_share: float,
        timeout: float | None,
        shards: Iterator[Shard],
    ) -> None:
        self.run, self.report, self.shards = run, report, shards
        self.max_bad_share, self.timeout = max_bad_share, timeout
        self.lock = threading.Lock()
        self.again: list[Shard] = []
        self.busy = 0
        self.deaths_in_a_row = 0
        # Places that have had a worker, and those whose storage failed since the last shard that was done.
        self.ready: set[int] = set()
        self.without_storage: set[int] = set()
        self.problem: Exception | None = None
        self.stop = threading.Event()

    def work(self, engine: Engine) -> None:
        """Do all shards.

        Raises:
            ValueError, StorageError: As :meth:`Run.run`.
        """
        threads = [
            threading.Thread(
                target=self._tend, args=(place, partial(engine.make, place)), daemon=True
            )
            for place in range(
                min(engine.workers, self.report.shards - self.report.total['shards'])
            )
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                # Waits in short pieces, so that Ctrl-C gets through.
                while thread.is_alive():
                    thread.join(0.5)
                    self.run.lease.check()
        finally:
            self.stop.set()
        if self.problem is not None:
            self.report.write()
            raise self.problem

    def _tend(self, place: int, make: Callable[[], Worker]) -> None:
        """Keep one place busy: give its worker shards, and replace the worker when it dies."""
        worker: Worker | None = None
        try:
            while not self.stop.is_set():
                shard = self._next()
                if shard is None:
                    return
                try:
                    if worker is None:
                        worker = make()
                        self._begin(place, worker.start())
                    answer = worker.annotate(shard, self.timeout)
                    if 'failed' in answer:
                        raise WorkerDied(answer['failed'])
                    if 'stop' in answer:
                        raise StorageError(answer['stop'])
                    if 'given_up' in answer:
                        raise ValueError(answer['given_up'])
                except (WorkerDied, StorageError) as error:
                    if worker is not None:
                        worker.close()
                    worker = None
                    self._lost(place, shard, error)
                else:
                    self._finished(answer)
        except Exception as error:
            with self.lock:
                self.problem = self.problem or error
            self.stop.set()
        finally:
            if worker is not None:
                worker.close()

    def _next(self) -> Shard | None:
        """The next shard; waits while others may give one back."""
        while not self.stop.is_set():
            with self.lock:
                shard = self.again.pop(0) if self.again else next(self.shards, None)
                if shard is not None:
                    self.busy += 1
                    return shard
                if not self.busy:
                    return None
            self.stop.wait(0.05)
        return None

    def _begin(self, place: int, answer: dict[str, Any]) -> None:
        if 'stop' in answer:
            raise ValueError(answer['stop'])
        with self.lock:
            self.ready.add(place)

    def _lost(self, place: int, shard: Shard, error: Exception) -> None:
        """Give a shard back. What fails for every worker ends the run, what fails for one does not.

        Raises:
            ValueError: Workers die again and again.
            StorageError: Storage has failed for every worker since the last shard that was done.
        """
        with self.lock:
            self.busy -= 1
            self.again.append(shard)
            self.report.deaths += 1
            self.report.say('death', why=f'shard {shard["shard"]}: {error}')
            if isinstance(error, StorageError):
                self.without_storage.add(place)
                if self.without_storage >= self.ready:
                    raise error
            else:
                self.deaths_in_a_row += 1
                if self.deaths_in_a_row > MOST_DEATHS * self.report.workers:
                    raise ValueError(f'workers die again and again, the last one: {error}')
        if isinstance(error, StorageError):
            # Its machine's disk or network may be at fault: meanwhile other workers take the shard.
            self.stop.wait(STORAGE_PAUSE)

    def _finished(self, answer: dict[str, Any]) -> None:
        self.run.storage.write(
            f'log/shards/{stem(answer["shard"])}.json', json.dumps(answer).encode()
        )
        with self.lock:
            self.busy -= 1
            self.deaths_in_a_row = 0
            self.without_storage.clear()
            self.report.add(answer)
            self.check_share()

    def check_share(self) -> None:
        """Stop a run that goes wrong as a whole.

        Raises:
            ValueError: More than the allowed share of the inputs were set aside.
        """
        total = self.report.total
        seen = total['done'] + total['aside']
        if seen >= LEAST_INPUTS and total['aside'] > self.max_bad_share * seen:
            raise ValueError(
                f'{total["aside"]} of {seen} inputs were set aside, more than the share of '
                f'{self.max_bad_share:g} that is allowed. The manifests in {self.run.storage.place}/{FOLDER} '
                'say why (aside); if that is fine, continue with a higher --max-bad-share'
            )


@contextmanager
def _log_lines(storage: Storage) -> Iterator[Callable[[str], Any] | None]:
    """Append to ``log/progress.jsonl`` of a local output; None for other storage, which cannot append."""
    if not storage.is_local:
        yield None
        return
    path = Path(storage.path('log/progress.jsonl'))
    with storage_errors(str(path), 'cannot be written'):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open('a', encoding='utf-8', buffering=1)

    def write(line: str) -> None:
        with storage_errors(str(path), 'cannot be written'):
            file.write(line)

    try:
        yield write
    finally:
        with suppress(OSError):
            file.close()
