# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The API that every task shares: load a model once, run it on anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from sapiens_inference.engine.models import LoadedModel, load_model
from sapiens_inference.engine.pipeline import Pipeline
from sapiens_inference.engine.run import open_run, with_progress
from sapiens_inference.engine.task import Task
from sapiens_inference.inputs.boxes import BoxFinder
from sapiens_inference.items import Item
from sapiens_inference.outputs.results import Result, Source
from sapiens_inference.outputs.summary import Summary


class Inferencer(Task):
    """Inference of one task on anything.

    Args:
        model: Config file, parsed config, or a name such as ``sapiens_1b/pose_goliath``; the config of a
            multitask model gives the task's own part of it. A model that another inferencer has loaded
            (``inferencer.loaded``) is shared.
        weights: Checkpoint file or published name; None takes the published ones of the name.
        device: ``cuda``, ``cuda:1``, ``cpu``, ``mps``; None picks the best.
        dtype: ``auto`` (default): bfloat16 where the hardware has instructions for it, else float32, which
            is said; or float32, as published numbers need it, float16, bfloat16. Post-processing stays in
            float32.
        compile: Use ``torch.compile``.
        detector: Finds people: a function of a list of items that sets their boxes, such as
            ``sapiens_det.PersonDetector``. None builds the default detector when it is first needed.
        workers: Threads that decode, crop, draw and write beside the model.
        **options: The task's own, see its class.

    Attributes:
        loaded: The model.
        summary: What the last run has done so far: inputs, failures, seconds per stage; None before.
    """

    summary: Summary | None = None

    def __init__(
        self,
        model: str | Path | Config | LoadedModel,
        weights: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = 'auto',
        compile: bool = False,
        *,
        detector: BoxFinder | None = None,
        workers: int = 4,
        **options: Any,
    ) -> None:
        if isinstance(model, LoadedModel):
            whole = self.task in model.config.model.get('tasks', {})
            self.loaded = model.alone(self.task) if whole else model
        else:
            self.loaded = load_model(model, weights, device, dtype, compile, task=self.task)
        self.detector, self.workers = detector, workers
        self.setup(**options)

    def setup(self) -> None:
        """Take the task's own options, once the model is loaded; a task adds them as arguments."""

    def describe(self) -> dict[str, Any]:
        """The model, for ``summary.json``."""
        return self.loaded.describe()

    def infer(
        self,
        inputs: Any,
        boxes: Any = None,
        batch_size: int = 8,
        out_dir: str | Path | None = None,
        *,
        masks: Any = None,
        progress: bool = False,
        **options: Any,
    ) -> list[Result]:
        """Run on images, folders, videos; calling the inferencer does the same.

        All results stay in memory: take :meth:`stream` for long inputs, or
        :func:`sapiens_inference.run_tasks` if only files are wanted.

        Args:
            inputs: See :func:`sapiens_inference.inputs.sources.open_inputs`.
            boxes: See :func:`sapiens_inference.inputs.boxes.find_boxes`. None means the detector for
                pose, the whole image for dense tasks.
            batch_size: Model inputs (people or images) per batch; people of many images share one.
            out_dir: Folder for files; results go to ``<out_dir>/<task>``.
            masks: Person masks, see :func:`sapiens_inference.inputs.masks.find_masks`.
            progress: Show a progress bar.
            **options: As :func:`sapiens_inference.engine.run.open_run`: ``draw``, ``legend``,
                ``save_frames``; and :func:`sapiens_inference.engine.plan.make_plan`: ``crops``, ``smooth``, ``track``,
                ``max_bad_share``.

        Returns:
            Results in input order. The result of an input that could not be processed has ``ok`` False,
            an ``error``, and empty fields.

        Raises:
            ValueError: Inputs or boxes of no known kind; nothing can be written in ``out_dir``. Bad items
                do not raise (but see ``max_bad_share``).
        """
        options.update(masks=masks, progress=progress)
        return list(self.stream(inputs, boxes, batch_size, out_dir, **options))

    __call__ = infer

    def stream(
        self,
        inputs: Any,
        boxes: Any = None,
        batch_size: int = 8,
        out_dir: str | Path | None = None,
        *,
        progress: bool = False,
        **options: Any,
    ) -> Iterator[Result]:
        """As :meth:`infer`, one result at a time, with bounded memory; for webcams and long inputs.

        The work is done while the results are taken; closing the iterator ends the run, with all files
        complete.
        """
        run = open_run([self], inputs, out_dir, boxes, batch_size=batch_size, **options)
        self.summary = run.summary
        return self._results(run, progress)

    def _results(self, run: Pipeline, progress: bool) -> Iterator[Result]:
        with closing(with_progress(run, progress)) as items:
            for item in items:
                yield self.result_of(item)

    def result_of(self, item: Item) -> Result:
        """An item's result; the empty one, with the reason, of a failed item."""
        if item.error is None:
            return item.results[self.task]
        result = self.empty(Source.of(item))
        for part in result.by_task().values():
            part.error = item.error
        return result
