# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One worker: models that are loaded once, and shards that go in as work and come out as files."""

from __future__ import annotations

import os
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path, PurePosixPath
from tempfile import gettempdir
from typing import Any

import torch

from sapiens_inference.concurrency import ordered_map
from sapiens_inference.engine.pipeline import STAGE_BYTES, Pipeline
from sapiens_inference.engine.plan import make_plan
from sapiens_inference.inputs.sources import Inputs
from sapiens_inference.items import Item
from sapiens_inference.outputs.summary import Stopwatch
from sapiens_inference.outputs.writers import remove_unfinished

from .attempts import Attempts, GivenUp
from .labels import image_member, judge, label_members, people_rows
from .models import crops_of
from .plan import Shard
from .reading import LabelItem, Reader
from .settings import Settings
from .shards import TarWriter, fingerprint, seal, stem, table_name, tar_name, write_table
from .sources import Entry, describe
from .storage import Storage, StorageError

READ_THREADS = ENCODE_THREADS = 4
"""Threads of a worker that read and decode inputs, and threads that compress labels."""
SLOWEST = 3
"""How many of its slowest inputs the report of a shard names."""


class Annotator:
    """Labels shards with models that are loaded once.

    Args:
        settings: How to label.
        settings_id: SHA-256 of the settings, for the manifests.
        output: The output folder.
        tries: How often a shard or an input is tried, see :class:`Attempts`.
        gpu: Which GPU of this machine is the worker's, where there are several.

    Raises:
        ValueError: The models cannot be loaded.
    """

    def __init__(
        self,
        settings: Settings,
        settings_id: str,
        output: str,
        tries: int = 3,
        gpu: int | None = None,
    ) -> None:
        if gpu is not None:
            settings = replace(settings, device=f'cuda:{gpu}')
        torch.set_num_threads(settings.threads)
        module, _, name = settings.builder.partition(':')
        self.tasks = getattr(import_module(module), name)(settings)
        self.plan = make_plan(
            self.tasks,
            settings.boxes,
            crops=crops_of(settings, self.tasks),
            track=False,  # people are numbered when all ranges of a video are there
            batch_size=settings.batch_size,
        )
        self.settings, self.settings_id, self.tries = settings, settings_id, tries
        self.storage = Storage(output)
        # Shards for remote storage that killed workers have left.
        remove_unfinished(Path(gettempdir()))

    def serve(self, shard: Shard) -> dict[str, Any]:
        """Label a shard; nothing is raised, so that the answer can cross any boundary.

        Returns:
            The shard's report; ``stop``, why nothing can go on; ``given_up``, why the shard is not tried any
            more; or ``failed``, an error that counts as an attempt, after which the worker is not to be used again.
        """
        try:
            return self.annotate(shard)
        except StorageError as error:
            return {'stop': str(error)}
        except GivenUp as error:
            return {'given_up': str(error)}
        except Exception as error:
            text = f'{type(error).__name__}: {error}'
            return {'failed': text, 'traceback': traceback.format_exc()}

    def annotate(self, shard: Shard) -> dict[str, Any]:
        """Label a shard, and seal it.

        Returns:
            Counts, seconds per stage, and the slowest inputs.

        Raises:
            StorageError: Something cannot be read or written; the attempt does not count.
            GivenUp: The shard was tried too often.
        """
        attempts = Attempts(self.storage, shard['shard'], self.tries)
        try:
            attempts.begin()
            if attempts.is_suspicious:
                self._probe(shard, attempts)
            report = self._write(shard, {int(k): v for k, v in attempts.aside.items()})
        except StorageError:
            try:
                attempts.take_back()
            except StorageError:
                pass  # the same storage: the next start counts one attempt more
            raise
        except GivenUp:
            raise
        except Exception as error:
            attempts.failed(f'{type(error).__name__}: {error}')
            raise
        attempts.end()
        return report

    def _probe(self, shard: Shard, attempts: Attempts) -> None:
        """Run every input alone, to find out which one kills its worker; the results are thrown away."""
        for position in range(attempts.probed, len(shard['inputs'])):
            if str(position) in attempts.aside:
                continue
            attempts.accuse(position)
            try:
                for _ in self._run(Reader([shard['inputs'][position]], 1, Stopwatch()))[1]:
                    pass
            except StorageError:
                raise
            except Exception as error:
                attempts.set_aside(position, f'{type(error).__name__}: {error}')
        attempts.acquit(len(shard['inputs']))

    def _run(self, reader: Reader) -> tuple[Pipeline, Any]:
        pipeline = Pipeline(Inputs(iter(reader), total=len(reader.entries)), self.plan)
        return pipeline, pipeline.run()

    def _write(self, shard: Shard, aside: dict[int, str]) -> dict[str, Any]:
        start = time.perf_counter()
        number, watch = shard['shard'], Stopwatch()
        entries = [e for i, e in enumerate(shard['inputs']) if i not in aside]
        out = _ShardOutput(number, self.settings, watch)
        for position, reason in aside.items():
            out.set_aside(shard['inputs'][position], '', reason)
        pipeline = None
        with self.storage.atomic_path(tar_name(number)) as path, path.open('wb') as file:
            tar = TarWriter(file)
            if entries:
                reader = Reader(entries, READ_THREADS, watch)
                pipeline, items = self._run(reader)
                with closing(items), ThreadPoolExecutor(ENCODE_THREADS, 'sapiens-encode') as pool:
                    ahead = ENCODE_THREADS + 1
                    for encoded in ordered_map(
                        out.encode, items, pool, ahead, lambda item: item.nbytes, STAGE_BYTES
                    ):
                        out.add(*encoded, tar)
                reader.check()
            tar.close()
            file.flush()
            files = {PurePosixPath(tar_name(number)).name: fingerprint(path)}
        if 'pose' in out.names:
            with self.storage.atomic_path(table_name(number)) as path:
                write_table(path, out.people, out.names['pose'])
                files[PurePosixPath(table_name(number)).name] = fingerprint(path)
        manifest: dict[str, Any] = {
            'shard': number,
            'settings': self.settings_id,
            'files': files,
            'names': out.names,
            'samples': out.samples,
            'aside': out.aside,
        }
        sizes = pipeline.summary.batch_size if pipeline else {}
        halved = {task: size for task, size in sizes.items() if size < self.settings.batch_size}
        if halved:  # memory was short; the labels differ in their last bits
            manifest['batch_size'] = halved
        with watch('store'):
            seal(self.storage, number, manifest)
        seconds = dict(watch.seconds)
        for stage, spent in (pipeline.summary.seconds if pipeline else {}).items():
            seconds[stage] = seconds.get(stage, 0.0) + spent
        return {
            'shard': number,
            'inputs': len(shard['inputs']),
            'done': len(out.samples),
            'aside': len(out.aside),
            'people': len(out.people),
            'flags': out.flags,
            'seconds': {stage: round(spent, 4) for stage, spent in seconds.items()},
            'wall': round(time.perf_counter() - start, 4),
            'slowest': sorted(out.slowest, reverse=True)[:SLOWEST],
            'bytes': sum(file['bytes'] for file in files.values()),
        }


class _ShardOutput:
    """Collects the samples of a shard, the inputs that were set aside, and their statistics."""

    def __init__(self, number: int, settings: Settings, watch: Stopwatch) -> None:
        self.number, self.settings, self.watch = number, settings, watch
        self.samples: list[dict[str, Any]] = []
        self.aside: list[dict[str, Any]] = []
        self.people: list[dict[str, Any]] = []
        self.flags: dict[str, int] = {}
        self.slowest: list[list[Any]] = []
        self.names: dict[str, list[str]] = {}

    def set_aside(self, entry: Entry, sha256: str, reason: str) -> None:
        """Note an input that is left out."""
        self.aside.append({'input': describe(entry), 'sha256': sha256, 'reason': reason})

    def encode(self, item: Item) -> tuple[LabelItem, dict[str, bytes]]:
        """An item's files for the tar by suffix; runs in a thread.

        Raises:
            RuntimeError: The item failed by no fault of its own.
        """
        assert isinstance(item, LabelItem)
        if item.error is not None:
            if 'out of memory' in item.error:
                raise RuntimeError(item.error)
            return item, {}
        start = time.perf_counter()
        with self.watch('encode'):
            members = {**self._image(item), **label_members(item.results)}
        item.seconds += time.perf_counter() - start
        return item, members

    def add(self, item: LabelItem, members: dict[str, bytes], tar: TarWriter) -> None:
        """Put an item's files into the tar."""
        if item.error is not None:
            self.set_aside(item.entry, item.sha256, item.error)
            return
        key = f'{stem(self.number)}_{item.index:06d}'
        with self.watch('store'):
            for suffix, content in members.items():
                tar.add(f'{key}{suffix}', content)
        rows = people_rows(key, item)
        numbers, flags = judge(item, self.settings.low_score)
        self.people += rows
        for task in ('pose', 'seg'):
            result: Any = item.results.get(task)
            if result is not None:
                self.names[task] = list(result.names)
        sample = {
            'key': key,
            'name': item.name,
            'input': describe(item.entry),
            'sha256': item.sha256,
            'size': list(item.pixels.shape[:2]),
            'members': list(members),
            'people': len(rows),
            'quality': numbers,
            'flags': flags,
            'notes': item.notes,
        }
        if item.frame is not None:
            sample.update(frame=item.frame.number, time=item.frame.time)
        self.samples.append(sample)
        for flag in flags:
            self.flags[flag] = self.flags.get(flag, 0) + 1
        self.slowest.append([round(item.seconds, 4), describe(item.entry)])

    def _image(self, item: LabelItem) -> dict[str, bytes]:
        if self.settings.images == 'refer' and item.frame is None:
            return {}
        suffix = PurePosixPath(item.entry.get('member') or item.entry['path']).suffix.lower()
        return dict([image_member(item, item.encoded, suffix)])


def work(connection: Any, options: dict[str, Any]) -> None:
    """Main function of a worker process: load the models, say so, then label shards until the driver is gone."""
    _die_with_driver()
    try:
        annotator = Annotator(**options)
    except (ValueError, ImportError, StorageError) as error:
        connection.send({'stop': str(error)})
        return
    try:
        connection.send({'ready': os.getpid()})
        while True:
            connection.send(annotator.serve(connection.recv()))
    except (EOFError, OSError):  # the driver is gone
        return


def _die_with_driver() -> None:
    """End this process when its driver dies, even in the middle of a shard, which may take hours."""
    import threading
    from multiprocessing import parent_process

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
