# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From inputs to written results, in order, with bounded memory.

    read -> decode (threads) -> find people (batches) -> for each task: preprocess (threads) -> forward (batches)
    -> postprocess -> draw and write (threads) -> video files (one thread)

Stages are generators over items that take from the stage before as they need, so at most a few batches of
images are alive at any time, however long the input is. Threads run ahead of the model by a fixed
number of items, fewer if they are large. Order is kept everywhere, so the result of an image depends on nothing but the image.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any

import torch
from mmengine.logging import MMLogger

from sapiens_inference.concurrency import batches, ordered_map, prefetch
from sapiens_inference.engine.batching import AdaptiveBatch
from sapiens_inference.engine.crops import Crop, CropQueue, Slot, reason_of, run_each
from sapiens_inference.engine.plan import Plan
from sapiens_inference.engine.task import Task
from sapiens_inference.inputs.sources import Inputs, decode
from sapiens_inference.items import Item
from sapiens_inference.outputs.summary import Stopwatch, Summary, library_versions

STAGE_BYTES = 1 << 29
"""A stage gathers no more images and maps than this, so batches of very large photos are smaller."""

# Errors that are the fault of the disk, not of an item.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


class Pipeline:
    """One run over inputs.

    Args:
        inputs: Where items come from.
        plan: What to do with them.

    Attributes:
        summary: What was done so far; complete after the last item.
        people: How many people's crops have been through a model so far.
        on_batch: Called after each batch of a model, in the thread that takes the items.
    """

    def __init__(self, inputs: Inputs, plan: Plan) -> None:
        self.inputs, self.plan = inputs, plan
        self.people = 0
        self.on_batch: Callable[[], None] | None = None
        names = ', '.join(task.task for task in plan.tasks)
        self.summary = Summary(task=names, total=inputs.total, left_out=inputs.left_out)
        self.watch = Stopwatch()
        self._ahead = 1 if inputs.live else plan.workers + 1

    def run(self) -> Generator[Item, None, None]:
        """Finished and failed items, in input order. The summary is complete after the last.

        Raises:
            ValueError: More than ``max_bad_share`` of the inputs failed, or nothing more can be written.
        """
        start = time.perf_counter()
        plan = self.plan
        pool = ThreadPoolExecutor(plan.workers, 'sapiens-work')
        ordered_pool = ThreadPoolExecutor(1, 'sapiens-video')
        batchers: dict[str, AdaptiveBatch] = {}
        complete = self.inputs.live  # a webcam has no other end than the user's
        items: Any = self.inputs.items
        if not self.inputs.live:
            items = prefetch(items, self._ahead)
        try:
            items = ordered_map(self._guard('decode', decode), items, pool, self._ahead)
            items = self._find_people(items)
            for task in plan.tasks:
                batchers[task.task] = AdaptiveBatch(self._timed_forward(task), plan.batch_size)
                items = self._task_stage(task, items, pool, batchers[task.task])
            items = self._each('track', plan.finishers, items)
            if plan.writers:
                for stage, function, threads in (
                    ('write', self._write, pool),
                    ('video', self._write_ordered, ordered_pool),
                ):
                    guarded = self._guard(stage, function)
                    items = ordered_map(guarded, items, threads, self._ahead, _size, STAGE_BYTES)
            for item in items:
                self.summary.add(item)
                if item.error is not None:
                    MMLogger.get_current_instance().warning(f'skipped: {item.error}')
                    self.summary.check(plan.max_bad_share)
                yield item
            complete = True
        finally:
            for iterator in (items, self.inputs.items):  # with a generator those it takes from end
                _close(iterator)
            pool.shutdown(cancel_futures=True)
            ordered_pool.shutdown(cancel_futures=True)
            for writer in plan.writers:
                writer.close(complete)
            self.summary.there_already = self.inputs.there_already
            self.summary.wall_seconds = time.perf_counter() - start
            self.summary.seconds = dict(self.watch.seconds)
            self.summary.batch_size = {name: batcher.size for name, batcher in batchers.items()}
            self.summary.models = {
                task.task: {**task.describe(), 'output': task.output} for task in plan.tasks
            }
            detector = getattr(plan.boxes, 'loaded', None)
            if detector is not None:
                self.summary.models['detector'] = detector.describe()
            self.summary.versions = library_versions()
            for writer in plan.writers:
                writer.finish(self.summary)

    def _guard(self, stage: str, function: Callable[[Item], Any]) -> Callable[[Item], Item]:
        """A stage function of one item: timed, skipped for failed items, errors noted in the item."""

        def call(item: Item) -> Item:
            if item.error is not None:
                return item
            with self.watch(stage):
                try:
                    function(item)
                except Exception as error:
                    if getattr(error, 'errno', None) in _DISK:
                        self.summary.stopped = f'nothing more can be written ({error})'
                        raise ValueError(f'{item.label}: {self.summary.stopped}') from error
                    MMLogger.get_current_instance().debug(f'{stage}: {item.label}', exc_info=True)
                    item.fail(reason_of(item, error))
            return item

        return call

    def _each(
        self, stage: str, functions: Sequence[Callable[[Item], None]], items: Iterable[Item]
    ) -> Iterator[Item]:
        for item in items:
            for function in functions:
                self._guard(stage, function)(item)
            yield item

    def _find_people(self, items: Iterator[Item]) -> Iterator[Item]:
        """Boxes and masks, a batch of images at a time."""
        plan = self.plan
        size = 1 if self.inputs.live else plan.detector_batch
        finders = {'boxes': plan.boxes, 'masks': plan.masks}
        stages = {
            stage: AdaptiveBatch(partial(self._find, stage, finder), size)
            for stage, finder in finders.items()
            if finder is not None
        }
        if not stages:
            yield from items
            return
        for batch in batches(items, size, _size, STAGE_BYTES):
            for batcher in stages.values():
                good = [item for item in batch if item.error is None]
                for item, output in zip(good, run_each(batcher, good), strict=True):
                    if isinstance(output, Exception):
                        item.fail(reason_of(item, output))
            yield from self._each('track', plan.trackers, batch)

    def _find(
        self, stage: str, finder: Callable[[list[Item]], None], items: list[Item]
    ) -> list[None]:
        with self.watch(stage):
            finder(items)
        return [None] * len(items)

    def _timed_forward(self, task: Task) -> Callable[[list], Sequence]:
        by_box = [t for t in self.plan.tasks if t.needs_boxes or self.plan.crops]
        counts = task in by_box[:1]  # of several tasks the first counts the people

        def forward(samples: list) -> Sequence:
            with self.watch(f'{task.task} model'), torch.inference_mode():
                outputs = task.forward(samples)
            self.people += len(samples) if counts else 0
            if self.on_batch is not None:
                self.on_batch()
            return outputs

        return forward

    def _task_stage(
        self, task: Task, items: Iterator[Item], pool: Executor, batcher: AdaptiveBatch
    ) -> Iterator[Item]:
        """Crops of many images share a batch; items leave in order once all their crops are back.

        The people of a live frame share one among themselves: no frame waits for the next.
        """
        groups = ([item] for item in items) if self.inputs.live else (items,)
        for group in groups:
            yield from self._run_task(task, iter(group), pool, batcher)

    def _run_task(
        self, task: Task, items: Iterator[Item], pool: Executor, batcher: AdaptiveBatch
    ) -> Iterator[Item]:
        size = self.plan.batch_size
        queue = CropQueue(batcher, 2 * size + 8, STAGE_BYTES)
        prepare = partial(self._prepare, task)
        ahead = max(self._ahead, 2 * size)
        crops = ordered_map(
            prepare, self._crops(task, items), pool, ahead, lambda crop: crop.nbytes, STAGE_BYTES
        )
        for crop in crops:
            queue.add(crop)
            if queue.full:
                queue.flush()
            yield from (self._assemble(task, slot) for slot in queue.ready())
        queue.flush()
        yield from (self._assemble(task, slot) for slot in queue.ready())

    def _crops(self, task: Task, items: Iterator[Item]) -> Iterator[Crop]:
        """Every view of every item; one empty crop for an item without any."""
        for item in items:
            views = task.views(item, self.plan.crops) if item.error is None else []
            slot = Slot.of(item, views)
            if not views:
                yield Crop(slot)
            for number in range(len(views)):
                yield Crop(slot, number)

    def _prepare(self, task: Task, crop: Crop) -> Crop:
        if crop.number is not None:
            with self.watch(f'{task.task} crop'):
                try:
                    crop.sample = task.preprocess(crop.slot.item, crop.slot.views[crop.number])
                except Exception as error:
                    crop.sample = error
        return crop

    def _assemble(self, task: Task, slot: Slot) -> Item:
        def assemble(item: Item) -> None:
            result = task.postprocess(item, slot.views, slot.outputs)
            item.results.update(result.by_task())
            if self.plan.mask_from_results and item.mask is None:
                item.mask = result.person_mask()

        return self._guard(f'{task.task} assemble', assemble)(slot.item)

    def _write(self, item: Item) -> None:
        for writer in self.plan.writers:
            writer.write(item)

    def _write_ordered(self, item: Item) -> None:
        for writer in self.plan.writers:
            writer.write_ordered(item)


def _size(item: Item) -> int:
    return item.nbytes


def _close(iterator: Any) -> None:
    """Close a generator; one that a thread still runs is closed there."""
    if hasattr(iterator, 'close') and not getattr(iterator, 'gi_running', False):
        iterator.close()
