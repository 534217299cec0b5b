# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One pass of one or several tasks over inputs: decoded once, people found once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from sapiens_common.progress import Progress
from sapiens_common.visualization import sheet
from sapiens_common.visualization.canvas import PAPER
from sapiens_inference.engine.pipeline import Pipeline
from sapiens_inference.engine.plan import Plan, make_plan
from sapiens_inference.engine.task import Task
from sapiens_inference.inputs.sources import Inputs, open_inputs
from sapiens_inference.items import Item
from sapiens_inference.outputs.summary import Summary
from sapiens_inference.outputs.writers import Writer

BY_USER = 'by the user'
"""``Summary.stopped`` after Ctrl-C."""


def open_run(
    tasks: Sequence[Task],
    inputs: Any,
    out_dir: str | Path | None = None,
    boxes: Any = None,
    masks: Any = None,
    *,
    draw: bool = True,
    legend: bool = False,
    save_frames: bool = False,
    skip_existing: bool = False,
    **options: Any,
) -> Pipeline:
    """Everything a run needs, checked before the work begins.

    Args:
        tasks: In the order of the sheet, which shows all pictures if there are several.
        inputs: See :func:`sapiens_inference.inputs.sources.open_inputs`.
        out_dir: Folder for files; results go to ``<out_dir>/<task>``. None writes nothing.
        boxes: As in :func:`make_plan`, like ``masks``.
        masks: Person masks.
        draw: Whether to make pictures and videos in ``out_dir``, as large as the source; what their
            colours mean is in ``<out_dir>/<task>/legend.png``.
        legend: Whether pictures and videos are made wider for what explains them: the legend, the photo
            beside depth and normals, the scale of depth.
        save_frames: Whether video frames get data files of their own too.
        skip_existing: Leave inputs alone whose files are all in ``out_dir``: continues a run that was
            stopped or killed.
        **options: As :func:`make_plan`.

    Raises:
        ValueError: Inputs, boxes or masks of no known kind; lists of boxes or masks of another length than the
            inputs; nothing can be written in ``out_dir``; what is there was made with another model or other
            settings, or boxes are given by position, with ``skip_existing``.
    """
    plan = make_plan(tasks, boxes, masks, **options)
    if not skip_existing:
        opened = open_inputs(inputs, out_dir)  # before the folders of results are there
        _check_counts(opened, plan)
        if out_dir is not None:
            plan.writers = _writers(tasks, plan, out_dir, draw, legend, save_frames)
        return Pipeline(opened, plan)
    if out_dir is None:
        raise ValueError('skip_existing needs an out_dir')
    if isinstance(boxes, (list, tuple)) or isinstance(masks, (list, tuple)):
        raise ValueError('skip_existing needs boxes and masks by name, not by position')
    writers = plan.writers = _writers(tasks, plan, out_dir, draw, legend, save_frames)
    for writer in writers:
        writer.check_settings()

    def is_done(name: str, is_video: bool) -> bool:
        return all(writer.has(name, is_video) for writer in writers)

    return Pipeline(open_inputs(inputs, out_dir, is_done), plan)


def _check_counts(inputs: Inputs, plan: Plan) -> None:
    """Compare lists of boxes and masks with the inputs, where it is known how many these are.

    Raises:
        ValueError: There are more or fewer.
    """
    hint = '. Several boxes of one image are one array: np.array(boxes)'
    for kind, finder, more in (('boxes', plan.boxes, hint), ('masks', plan.masks, '')):
        count = getattr(finder, 'count', None)  # which functions of users have not
        if isinstance(count, int) and inputs.total not in (None, count):
            raise ValueError(
                f'{kind}: a list of {count} for {inputs.total} images and frames; expected one array for each, '
                f'in their order, or a mapping from names{more}'
            )


def _writers(
    tasks: Sequence[Task],
    plan: Plan,
    out_dir: str | Path,
    draw: bool,
    legend: bool,
    save_frames: bool,
) -> list[Writer]:
    """A writer for each result, and one for the sheet of all pictures if there are several."""
    writers = []
    for task in tasks:
        for part in task.parts():
            settings = partial(_settings_of, task, part, plan, legend)
            picture = part.explained if legend else part.visualize
            writer = Writer(
                *(out_dir, part.task, picture if draw else None, save_frames),
                *(part.result_type, settings),
            )
            if draw and not legend:
                writer.write_legend(part.legend())
            writers.append(writer)
    if len(writers) > 1 and draw:
        parts = [part for task in tasks for part in task.parts()]
        writers.append(Writer(out_dir, 'sheet', sheet_of(parts)))
    return writers


def _settings_of(task: Task, part: Task, plan: Plan, legend: bool) -> dict[str, Any]:
    """What the results of a part of a task depend on, but for the inputs."""
    model = task.describe()
    settings = {'output': part.output, 'crops': plan.crops, 'legend': legend, **plan.asked}
    choices = getattr(plan.boxes, 'choices', None)
    if choices is not None:
        settings['detector'] = choices()
    settings |= {key: model[key] for key in ('sha256', 'dtype') if key in model}
    return settings | part.choices()


def run_tasks(
    tasks: Sequence[Task],
    inputs: Any,
    out_dir: str | Path,
    *,
    progress: bool = False,
    **options: Any,
) -> Summary:
    """Run tasks and write their files, and with several tasks a sheet of all pictures.

    Nothing but the summary stays in memory, however many inputs there are.

    Args:
        tasks: Inferencers, in the order of the sheet.
        inputs: As in :func:`open_run`.
        out_dir: Each task gets a folder in it; ``summary.json`` lies beside them.
        progress: Show a progress bar.
        **options: As :func:`open_run`: ``boxes``, ``masks``, ``draw``, ``legend``, ``save_frames``, and those of
            :func:`sapiens_inference.engine.plan.make_plan`.

    Returns:
        What was done. An interrupt (Ctrl-C) ends the run early, with all files complete; ``stopped``
        says so.

    Raises:
        ValueError: Inputs, boxes or masks of no known kind; nothing can be written in ``out_dir``; too
            large a share of the inputs failed.
    """
    pipeline = open_run(tasks, inputs, out_dir, **options)
    items = with_progress(pipeline, progress)
    try:
        for _ in items:
            pass
    except KeyboardInterrupt:
        items.close()  # which finishes the videos
        pipeline.summary.stopped = BY_USER
    try:
        pipeline.summary.write(Path(out_dir) / 'summary.json')
    except OSError as error:  # the disk may be full, and what is done is done
        MMLogger.get_current_instance().warning(f'summary.json cannot be written: {error}')
    return pipeline.summary


def with_progress(pipeline: Pipeline, progress: bool) -> Generator[Item, None, None]:
    """Items of a run under a progress bar."""
    if not progress:
        yield from pipeline.run()
        return
    with Progress(
        total=pipeline.inputs.total, desc=pipeline.summary.task, unit='image', miniters=0
    ) as bar:

        def show() -> None:
            counts = {'people': pipeline.people, 'failed': len(pipeline.summary.failed)}
            bar.set_postfix({k: v for k, v in counts.items() if v}, refresh=False)
            bar.update(0)  # draws if it is time

        pipeline.on_batch = show
        for item in pipeline.run():
            bar.update()
            show()
            yield item


def sheet_of(tasks: Sequence[Task]) -> Callable[[Item], np.ndarray]:
    """A function that draws the sheet of an item: the photo once, every task, and one legend."""

    def draw(item: Item) -> np.ndarray:
        tiles = [(task.title, task.visualize(item)) for task in tasks]
        groups = [entries for task in tasks if (entries := task.legend(item))]
        lines = [line for group in groups for line in (*group, ('', PAPER))][:-1]
        return sheet([('photo', item.pixels), *tiles], entries=lines)

    return draw
