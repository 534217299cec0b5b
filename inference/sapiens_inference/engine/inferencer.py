# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The API that every task shares; a task adds how it crops, predicts, assembles, draws and saves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.config import Config

from sapiens_inference.engine.models import LoadedModel, load_model
from sapiens_inference.engine.pipeline import Pipeline, Plan
from sapiens_inference.inputs.boxes import BoxFinder, find_boxes
from sapiens_inference.inputs.masks import find_masks
from sapiens_inference.inputs.sources import open_source
from sapiens_inference.items import Item
from sapiens_inference.outputs.results import Failure, Result, Source
from sapiens_inference.outputs.summary import Summary
from sapiens_inference.outputs.writers import TaskFiles, Writer

KEEP_BYTES = 1 << 30
"""Results of a run with ``out_dir`` stay in memory up to this many bytes of arrays."""


class Predictions:
    """Results of a run, in input order.

    Iterating runs the models: one result at a time, with bounded memory. ``len()`` and indexing run
    to the end and keep all. ``summary`` is complete once all results are out.

    Args:
        pipeline: The run.
        task: Whose results to return.
        progress: Whether to show a progress bar.
    """

    def __init__(self, pipeline: Pipeline, task: str, progress: bool = False) -> None:
        self._pipeline, self._task = pipeline, task
        self._items = with_progress(pipeline, progress)
        self._kept: list[Result] | None = None
        self._started = False

    @property
    def summary(self) -> Summary:
        """What was done so far; complete after the last result."""
        return self._pipeline.summary

    def __iter__(self) -> Iterator[Result]:
        if self._kept is not None:
            return iter(self._kept)
        if self._started:
            raise RuntimeError(
                'these results were already taken, or were too large to keep beside the files; call '
                'the inferencer again, or use list(...) to keep results'
            )
        self._started = True
        return (result_of(item, self._task) for item in self._items)

    def __len__(self) -> int:
        if self._kept is None and self._started:
            # A TypeError, because list(...) asks for a length after it has begun to iterate.
            raise TypeError('the number of results is not known while they are being taken')
        return len(self._all())

    def __getitem__(self, index: int) -> Result:
        return self._all()[index]

    def _all(self) -> list[Result]:
        if self._kept is None:
            self._kept = [result for result in self]  # list(self) would ask for the length
        return self._kept

    def run(self) -> Predictions:
        """Run to the end; keep the results unless they are larger than :data:`KEEP_BYTES`."""
        kept: list[Result] | None = []
        size = 0
        for result in self:
            size += sum(v.nbytes for v in vars(result).values() if isinstance(v, np.ndarray))
            if size > KEEP_BYTES:
                kept = None
            if kept is not None:
                kept.append(result)
        self._kept = kept
        return self


def result_of(item: Item, task: str) -> Result:
    """An item's result, or what became of it."""
    if item.error is not None:
        return Failure(Source.of(item), item.error)
    return item.results[task]


def with_progress(pipeline: Pipeline, progress: bool) -> Generator[Item, None, None]:
    """Items of a run under a progress bar."""
    if not progress:
        yield from pipeline.run()
        return
    from tqdm import tqdm

    unit = pipeline.summary.task
    with tqdm(total=pipeline.source.total, desc=unit, unit='image', dynamic_ncols=True) as bar:
        for item in pipeline.run():
            bar.update()
            if pipeline.summary.failed:
                bar.set_postfix(failed=len(pipeline.summary.failed))
            yield item


class Inferencer(ABC):
    """Inference of one task on anything.

    Args:
        model: Config file, parsed config, or a name such as ``sapiens_1b/pose_goliath``.
        weights: Checkpoint file or published name; None takes the published ones of the name.
        device: ``cuda``, ``cuda:1``, ``cpu``, ``mps``; None picks the best.
        dtype: float32 (default), float16 or bfloat16; post-processing stays in float32.
        compile: Use ``torch.compile``.
        detector: Finds people: a function of a list of items that sets their boxes, such as
            ``sapiens_det.PersonDetector``. None builds the default detector when it is first needed.
        workers: Threads that decode, crop, draw and write beside the model.

    Attributes:
        task: Name of the task and of its output folder.
        needs_boxes: Whether the task works on people's boxes (True) or on the whole image.
        gives_mask: Whether its results tell people from background (``Result.person_mask``).
        output: What the numbers of results and files mean: units, range, axes. For ``summary.json``.
        loaded: The model.
    """

    task: ClassVar[str]
    needs_boxes: ClassVar[bool] = False
    gives_mask: ClassVar[bool] = False
    output: str

    def __init__(
        self,
        model: str | Path | Config,
        weights: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        compile: bool = False,
        *,
        detector: BoxFinder | None = None,
        workers: int = 4,
    ) -> None:
        self.loaded: LoadedModel = load_model(model, weights, device, dtype, compile)
        self.detector = detector
        self.workers = workers

    def __call__(
        self,
        inputs: Any,
        boxes: Any = None,
        batch_size: int = 8,
        out_dir: str | Path | None = None,
        *,
        masks: Any = None,
        draw: bool = True,
        save_frames: bool = False,
        progress: bool = False,
        **options: Any,
    ) -> Predictions:
        """Run on images, folders, videos, a webcam.

        Args:
            inputs: See :func:`sapiens_inference.inputs.sources.open_source`.
            boxes: See :func:`sapiens_inference.inputs.boxes.find_boxes`. None means the detector for
                pose, the whole image for dense tasks.
            batch_size: Model inputs (people or images) per batch; people of many images share one.
            out_dir: Folder for files; results go to ``<out_dir>/<task>``. With it the run happens at
                once; without, while the returned object is iterated.
            masks: Person masks, see :func:`sapiens_inference.inputs.masks.find_masks`.
            draw: Whether to make pictures and videos in ``out_dir``.
            save_frames: Whether video frames get data files of their own too.
            progress: Show a progress bar.
            **options: As :func:`make_plan`: ``crops``, ``smooth``, ``track``, ``max_bad_share``.

        Returns:
            Results in input order; a :class:`Failure` for an input that could not be processed.

        Raises:
            ValueError: Inputs or boxes of no known kind; nothing can be written in ``out_dir``. Bad items
                do not raise, they become failures (but see ``max_bad_share``).
        """
        writers = []
        if out_dir is not None:
            writers = [Writer(out_dir, self.files(), draw, save_frames)]
        plan = make_plan([self], boxes, masks, batch_size=batch_size, writers=writers, **options)
        predictions = Predictions(Pipeline(open_source(inputs, out_dir), plan), self.task, progress)
        return predictions if out_dir is None else predictions.run()

    def find_people(self) -> BoxFinder:
        """The detector, built on first use.

        Raises:
            ValueError: There is none, and no default.
        """
        if self.detector is None:
            self.detector = self.default_detector()
        return self.detector

    def default_detector(self) -> BoxFinder:
        """The detector used when the user gave none."""
        raise ValueError("no person detector was given; pass detector=..., or boxes='image'")

    @abstractmethod
    def views(self, item: Item, crops: bool) -> list[np.ndarray | None]:
        """What of an item goes into the model: boxes xyxy (4,), or None for the whole image.

        Args:
            item: Decoded; its boxes are known if the run needs them.
            crops: Whether a task that could take the whole image shall take boxes.
        """

    @abstractmethod
    def prepare(self, item: Item, view: np.ndarray | None) -> Any:
        """One model input; runs in a thread."""

    @abstractmethod
    def predict(self, samples: list[Any]) -> Sequence[Any]:
        """Run the model on prepared inputs; one output each, on the CPU."""

    @abstractmethod
    def assemble(self, item: Item, views: list, outputs: list[Any]) -> Result:
        """The result of an item from the outputs of its crops."""

    def finishers(self, smooth: bool) -> list[Callable[[Item], None]]:
        """What happens to finished items in order, such as smoothing over the frames of a video."""
        return []

    @abstractmethod
    def files(self) -> TaskFiles:
        """How results are drawn and saved."""


def make_plan(
    tasks: Sequence[Inferencer],
    boxes: Any = None,
    masks: Any = None,
    *,
    crops: bool | None = None,
    smooth: bool = False,
    track: bool = True,
    batch_size: int = 8,
    max_bad_share: float = 1.0,
    writers: Sequence[Writer] = (),
) -> Plan:
    """What a run of one or several tasks does.

    Args:
        tasks: In the order they run, but those that give a mask come before all where it is asked for.
        boxes: As in :meth:`Inferencer.__call__`.
        masks: As in :meth:`Inferencer.__call__`; an inferencer of segmentation runs first and gives the
            mask; True takes the mask of the segmentation among the tasks.
        crops: Whether dense tasks run on people's boxes; None does so if boxes are given.
        smooth: Smooth keypoints over the frames of a video (needs tracking).
        track: Number people over the frames of a video.
        batch_size: Model inputs per batch.
        max_bad_share: Stop the run when more of its inputs have failed, after the first twenty; 1 goes on
            whatever happens.
        writers: What is written.

    Raises:
        ValueError: Boxes or masks of no known kind; a mask of a segmentation and there is none; a number
            outside its range.
    """
    from sapiens_inference.engine.tracking import FrameTracker

    tasks = list(tasks)
    workers = max(task.workers for task in tasks)
    for name, value in (('batch_size', batch_size), ('workers', workers)):
        if value < 1:
            raise ValueError(f'{name} must be at least 1, got {value}')
    if not 0 <= max_bad_share <= 1:
        raise ValueError(f'max_bad_share must be between 0 and 1, got {max_bad_share}')
    mask_from_results = masks is True
    if isinstance(masks, Inferencer):
        tasks, mask_from_results = [masks, *(task for task in tasks if task is not masks)], True
    if mask_from_results:
        tasks.sort(key=lambda task: not task.gives_mask)
        if not tasks[0].gives_mask:
            raise ValueError(
                f'masks of a segmentation were asked for, and {", ".join(task.task for task in tasks)} '
                'give none; pass masks=SegInferencer(...), or add one to the tasks'
            )
    needs_boxes = any(task.needs_boxes for task in tasks)
    if crops is None:
        crops = boxes is not None
    finder: BoxFinder | None = None
    if needs_boxes or crops:
        wants_detector = boxes is None or (isinstance(boxes, str) and boxes == 'detector')
        owner = next((t for t in tasks if t.detector is not None), None) or tasks[-1]
        finder = find_boxes(boxes, owner.find_people() if wants_detector else None)
    tracker = FrameTracker() if track and finder is not None else None
    return Plan(
        tasks=tasks,
        boxes=finder,
        masks=None if mask_from_results else find_masks(masks),
        mask_from_results=mask_from_results,
        crops=crops,
        batch_size=batch_size,
        max_bad_share=max_bad_share,
        workers=workers,
        writers=writers,
        trackers=[tracker] if tracker else [],
        finishers=[step for task in tasks for step in task.finishers(smooth)],
    )
