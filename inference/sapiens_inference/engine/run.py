# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One pass of several tasks over the same inputs: decoded once, people found once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sapiens_common.visualization import sheet
from sapiens_common.visualization.canvas import PAPER
from sapiens_inference.engine.inferencer import Inferencer, make_plan, with_progress
from sapiens_inference.engine.pipeline import Pipeline
from sapiens_inference.inputs.sources import open_source
from sapiens_inference.items import Item
from sapiens_inference.outputs.summary import Summary
from sapiens_inference.outputs.writers import TaskFiles, Writer

BY_USER = 'by the user'
"""``Summary.stopped`` after Ctrl-C."""


def run_tasks(
    tasks: Sequence[Inferencer],
    inputs: Any,
    out_dir: str | Path,
    *,
    boxes: Any = None,
    masks: Any = None,
    draw: bool = True,
    save_frames: bool = False,
    progress: bool = False,
    **options: Any,
) -> Summary:
    """Run tasks and write their files, and with several tasks a sheet of all pictures.

    Args:
        tasks: Inferencers, in the order of the sheet.
        inputs: As in :meth:`Inferencer.__call__`.
        out_dir: Each task gets a folder in it; ``summary.json`` lies beside them.
        boxes: As in :meth:`Inferencer.__call__`.
        masks: As in :meth:`Inferencer.__call__`; True takes the mask of the segmentation among the tasks.
        draw: Whether to make pictures and videos.
        save_frames: Whether video frames get data files too.
        progress: Show a progress bar.
        **options: As :func:`sapiens_inference.engine.inferencer.make_plan`.

    Returns:
        What was done. An interrupt (Ctrl-C) ends the run early, with all files complete; ``stopped``
        says so.

    Raises:
        ValueError: Inputs, boxes or masks of no known kind; nothing can be written in ``out_dir``; too
            large a share of the inputs failed.
    """
    plan = make_plan(tasks, boxes, masks, **options)
    source = open_source(inputs, out_dir)
    files = [task.files() for task in tasks]
    if len(tasks) > 1 and draw:
        files.append(TaskFiles('sheet', save=None, draw=_sheet_of(list(files))))
    plan.writers = [Writer(out_dir, entry, draw, save_frames) for entry in files]
    pipeline = Pipeline(source, plan)
    items = with_progress(pipeline, progress)
    try:
        for _ in items:
            pass
    except KeyboardInterrupt:
        items.close()  # which finishes the videos
        pipeline.summary.stopped = BY_USER
    pipeline.summary.write(Path(out_dir) / 'summary.json')
    return pipeline.summary


def _sheet_of(files: Sequence[TaskFiles]) -> Callable[[Item], np.ndarray]:
    """A function that draws the sheet of an item: the photo once, every task, and one legend."""

    def draw(item: Item) -> np.ndarray:
        tiles = [(entry.title or entry.task, (entry.tile or entry.draw)(item)) for entry in files]
        groups = [entry.entries(item) for entry in files if entry.entries]
        lines = [line for group in groups for line in (*group, ('', PAPER))][:-1]
        return sheet([('photo', item.pixels), *tiles], entries=lines)

    return draw
