# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From inputs to written results, in order, with bounded memory.

    read -> decode (threads) -> find people (batches) -> for each task: crop (threads) -> model (batches)
    -> assemble -> draw and write (threads) -> video files (one thread)

Stages are generators over items that take from the stage before as they need, so at most a few batches of
images are alive at any time, however long the input is. Threads run ahead of the model by a fixed
number of items, fewer if they are large. Order is kept everywhere, so the result of an image depends on nothing but the image.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from mmengine.logging import MMLogger

from sapiens_inference.engine.batching import AdaptiveBatch
from sapiens_inference.engine.concurrency import batches, ordered_map, prefetch
from sapiens_inference.inputs.boxes import BoxFinder
from sapiens_inference.inputs.masks import MaskFinder
from sapiens_inference.inputs.sources import Inputs, decode
from sapiens_inference.items import DETECTOR, NOBODY_FOUND, Boxes, Item
from sapiens_inference.outputs.summary import Stopwatch, Summary, library_versions
from sapiens_inference.outputs.writers import Writer

if TYPE_CHECKING:
    from sapiens_inference.engine.inferencer import Inferencer


STAGE_BYTES = 1 << 29
"""A stage gathers no more images and maps than this, so batches of very large photos are smaller."""

_DISK = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
}  # the fault of the disk, not of an item


@dataclass
class Plan:
    """What a run does with its items.

    Attributes:
        tasks: Inferencers in the order they run; segmentation before what uses its mask.
        boxes: Finds people; None runs dense tasks on the whole image.
        masks: Finds person masks; None for none.
        mask_from_results: Whether a task that tells people from background gives later tasks the mask.
        crops: Whether tasks that could run on the whole image run on people's boxes.
        batch_size: Model inputs per batch.
        max_bad_share: A run stops when more of its inputs have failed; 1 never stops.
        detector_batch: Images per detector batch.
        workers: Threads for decoding, cropping, drawing and writing.
        writers: One per task that writes files.
        finishers: Called in order for each item after all tasks (tracking and smoothing state).
        trackers: Called in order for each item after its boxes are known.
    """

    tasks: Sequence[Inferencer]
    boxes: BoxFinder | None = None
    masks: MaskFinder | None = None
    mask_from_results: bool = False
    crops: bool = False
    batch_size: int = 8
    max_bad_share: float = 1.0
    detector_batch: int = 8
    workers: int = 4
    writers: Sequence[Writer] = ()
    trackers: Sequence[Callable[[Item], None]] = ()
    finishers: Sequence[Callable[[Item], None]] = ()


@dataclass
class _Slot:
    """An item whose crops are partly in the model."""

    item: Item
    views: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    missing: int = 0


class Pipeline:
    """One run over a source.

    Args:
        source: Where items come from.
        plan: What to do with them.
    """

    def __init__(self, source: Inputs, plan: Plan) -> None:
        self.source, self.plan = source, plan
        self.summary = Summary(task=', '.join(task.task for task in plan.tasks))
        self.watch = Stopwatch()
        self._ahead = 1 if source.live else plan.workers + 1

    def run(self) -> Iterator[Item]:
        """Finished and failed items, in input order. The summary is complete after the last.

        Raises:
            ValueError: More than ``max_bad_share`` of the inputs failed, or nothing more can be written.
        """
        start = time.perf_counter()
        plan = self.plan
        pool = ThreadPoolExecutor(plan.workers, 'sapiens-work')
        ordered_pool = ThreadPoolExecutor(1, 'sapiens-video')
        batchers: dict[str, AdaptiveBatch] = {}
        items: Any = self.source.items
        if not self.source.live:
            items = prefetch(items, self._ahead)
        try:
            items = ordered_map(self._guard('decode', decode), items, pool, self._ahead)
            items = self._find_people(items)
            for task in plan.tasks:
                batchers[task.task] = AdaptiveBatch(self._timed_predict(task), plan.batch_size)
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
        finally:
            for iterator in (items, self.source.items):  # with a generator those it takes from end
                _close(iterator)
            pool.shutdown(cancel_futures=True)
            ordered_pool.shutdown(cancel_futures=True)
            for writer in plan.writers:
                writer.close()
            self.summary.wall_seconds = time.perf_counter() - start
            self.summary.seconds = dict(self.watch.seconds)
            self.summary.batch_size = {name: batcher.size for name, batcher in batchers.items()}
            self.summary.models = {
                task.task: {**task.loaded.describe(), 'output': task.output} for task in plan.tasks
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
                    item.fail(_reason(item, error))
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
        size = 1 if self.source.live else plan.detector_batch
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
                for item, output in zip(good, self._predict(good, batcher), strict=True):
                    if isinstance(output, Exception):
                        item.fail(_reason(item, output))
            yield from self._each('track', plan.trackers, batch)

    def _find(
        self, stage: str, finder: Callable[[list[Item]], None], items: list[Item]
    ) -> list[None]:
        with self.watch(stage):
            finder(items)
        return [None] * len(items)

    def _timed_predict(self, task: Inferencer) -> Callable[[list], Sequence]:
        def predict(samples: list) -> Sequence:
            with self.watch(f'{task.task} model'), torch.inference_mode():
                return task.predict(samples)

        return predict

    def _task_stage(
        self, task: Inferencer, items: Iterator[Item], pool: Executor, batcher: AdaptiveBatch
    ) -> Iterator[Item]:
        """Crops of many images share a batch; items leave in order once all their crops are back.

        The people of a live frame share one among themselves: no frame waits for the next.
        """
        groups = ([item] for item in items) if self.source.live else (items,)
        for group in groups:
            yield from self._batched(task, iter(group), pool, batcher)

    def _batched(
        self, task: Inferencer, items: Iterator[Item], pool: Executor, batcher: AdaptiveBatch
    ) -> Iterator[Item]:
        plan = self.plan

        def crops() -> Iterator[tuple[_Slot, Any]]:
            for item in items:
                slot = _Slot(item)
                if item.error is None:
                    slot.views = task.views(item, plan.crops)
                slot.missing = len(slot.views)
                slot.outputs = [None] * len(slot.views)
                if not slot.views:
                    yield slot, None
                for number in range(len(slot.views)):
                    yield slot, number

        def prepare(entry: tuple[_Slot, Any]) -> tuple[_Slot, Any, Any]:
            slot, number = entry
            if number is None:
                return slot, None, None
            with self.watch(f'{task.task} crop'):
                try:
                    return slot, number, task.prepare(slot.item, slot.views[number])
                except Exception as error:
                    return slot, number, error

        pending: deque[_Slot] = deque()
        queued: list[tuple[_Slot, int, Any]] = []

        def flush() -> Iterator[Item]:
            # After a halving the batcher splits what had been gathered for the larger batch.
            outputs = self._predict([sample for _, _, sample in queued], batcher)
            for (slot, number, _), output in zip(queued, outputs, strict=True):
                self._deliver(slot, number, output)
            queued.clear()
            yield from done()

        def done() -> Iterator[Item]:
            while pending and not pending[0].missing:
                slot = pending.popleft()
                yield self._guard(f'{task.task} assemble', partial(self._assemble, task, slot))(
                    slot.item
                )

        def share(entry: tuple[_Slot, Any]) -> int:
            return entry[0].item.nbytes // max(1, len(entry[0].views))

        ahead = max(self._ahead, 2 * plan.batch_size)
        samples = ordered_map(prepare, crops(), pool, ahead, share, STAGE_BYTES)
        for slot, number, sample in samples:
            if not pending or pending[-1] is not slot:
                pending.append(slot)
            if isinstance(sample, Exception):
                self._deliver(slot, number, sample)
            elif number is not None:
                queued.append((slot, number, sample))
            # Failed and empty items must not pile up behind one that waits for a full batch, nor large ones.
            full = len(queued) >= batcher.size or len(pending) > 2 * plan.batch_size + 8
            heavy = len(pending) > 1 and sum(_size(s.item) for s in pending) >= STAGE_BYTES
            if full or heavy:
                yield from flush()
            else:
                yield from done()
        if queued:
            yield from flush()
        yield from done()

    @staticmethod
    def _predict(samples: list[Any], batcher: AdaptiveBatch) -> list[Any]:
        """One output per sample; what does not fit into memory even alone becomes an error."""
        try:
            return batcher(samples)
        except ValueError as error:
            if len(samples) == 1:
                return [error]
        return [Pipeline._predict([sample], batcher)[0] for sample in samples]

    @staticmethod
    def _deliver(slot: _Slot, number: int, output: Any) -> None:
        slot.missing -= 1
        slot.outputs[number] = output
        if isinstance(output, Exception) and slot.item.error is None:
            slot.item.fail(_reason(slot.item, output))

    def _assemble(self, task: Inferencer, slot: _Slot, item: Item) -> None:
        result = task.assemble(item, slot.views, slot.outputs)
        item.results[task.task] = result
        if self.plan.mask_from_results and item.mask is None:
            item.mask = result.person_mask()

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


def _reason(item: Item, error: Exception) -> str:
    """An error's text, with the item's name if it is not in it already."""
    text = str(error) or type(error).__name__
    return text if item.label in text else f'{item.label}: {text}'


def mark_nobody(items: Iterable[Item]) -> None:
    """Give items on which the detector found no one the whole image, and say so."""
    for item in items:
        if item.boxes is not None and not len(item.boxes) and item.boxes.origin == DETECTOR:
            item.boxes = Boxes.whole(item.pixels.shape, NOBODY_FOUND)
            item.notes.append('nobody was detected; the whole image was used as the box')
