# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The plan of a run, and the way to it from what a user asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

from sapiens_inference.engine.task import Task
from sapiens_inference.engine.tracking import FrameTracker
from sapiens_inference.inputs.boxes import BoxFinder, find_boxes
from sapiens_inference.inputs.masks import MaskFinder, find_masks
from sapiens_inference.items import Item
from sapiens_inference.outputs.writers import Writer


@dataclass
class Plan:
    """What a run does with its items.

    Attributes:
        tasks: In the order they run; segmentation before what uses its mask.
        boxes: Finds people; None runs dense tasks on the whole image.
        masks: Finds person masks; None for none.
        mask_from_results: Whether a task that tells people from background gives later tasks the mask.
        crops: Whether tasks that could run on the whole image run on people's boxes.
        batch_size: Model inputs per batch.
        max_bad_share: A run stops when more of its inputs have failed; 1 never stops.
        detector_batch: Images per detector batch.
        workers: Threads for decoding, cropping, drawing and writing.
        asked: What of the user's wishes changes results and is no task's own, such as the name of a file of boxes.
        writers: One per task that writes files.
        trackers: Called in order for each item after its boxes are known.
        finishers: Called in order for each item after all tasks (tracking and smoothing state).
    """

    tasks: Sequence[Task]
    boxes: BoxFinder | None = None
    masks: MaskFinder | None = None
    mask_from_results: bool = False
    crops: bool = False
    batch_size: int = 8
    max_bad_share: float = 1.0
    detector_batch: int = 8
    workers: int = 4
    asked: dict[str, Any] = field(default_factory=dict)
    writers: list[Writer] = field(default_factory=list)
    trackers: Sequence[Callable[[Item], None]] = ()
    finishers: Sequence[Callable[[Item], None]] = ()


def make_plan(
    tasks: Sequence[Task],
    boxes: Any = None,
    masks: Any = None,
    *,
    crops: bool | None = None,
    smooth: bool = False,
    track: bool = True,
    batch_size: int = 8,
    max_bad_share: float = 1.0,
    boxes_missing: str = 'skip',
) -> Plan:
    """What a run of one or several tasks does.

    Args:
        tasks: In the order they run, but those that give a mask come before all where it is asked for.
        boxes: See :func:`sapiens_inference.inputs.boxes.find_boxes`. None means the detector for tasks
            that need boxes, the whole image for dense tasks.
        masks: See :func:`sapiens_inference.inputs.masks.find_masks`; an inferencer of segmentation runs
            first and gives the mask; True takes the mask of the segmentation among the tasks.
        crops: Whether dense tasks run on people's boxes; None does so if boxes are given.
        smooth: Smooth keypoints over the frames of a video (needs tracking).
        track: Number people over the frames of a video.
        batch_size: Model inputs (people or images) per batch; people of many images share one.
        max_bad_share: Stop the run when more of its inputs have failed, after the first twenty; 1 goes on
            whatever happens.
        boxes_missing: What happens to images that a file or mapping of boxes does not name: ``skip`` (no
            people), ``whole`` (the whole image), ``detector``, ``error``.

    Raises:
        ValueError: Boxes or masks of no known kind; a mask of a segmentation and there is none; a number
            outside its range; two tasks with the same results.
    """
    tasks = list(tasks)
    _check_numbers(batch_size, max(task.workers for task in tasks), max_bad_share)
    mask_from_results = masks is True
    if isinstance(masks, Task):
        tasks, mask_from_results = [masks, *(task for task in tasks if task is not masks)], True
    if mask_from_results:
        tasks.sort(key=lambda task: not task.gives_mask)
        if not tasks[0].gives_mask:
            raise ValueError(
                f'masks of a segmentation were asked for, and {", ".join(task.task for task in tasks)} '
                'give none; pass masks=SegInferencer(...), or add one to the tasks'
            )
    names = [part.task for task in tasks for part in task.parts()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f'{", ".join(twice)}: more than one of the tasks has these results')
    if crops is None:
        crops = boxes is not None
    finder: BoxFinder | None = None
    if crops or any(task.needs_boxes for task in tasks):
        finder = find_boxes(boxes, lambda: _detector_of(tasks), boxes_missing)
    if smooth and all(len(t.finishers(True)) == len(t.finishers(False)) for t in tasks):
        MMLogger.get_current_instance().warning(
            f'smooth does nothing for {", ".join(task.task for task in tasks)}: it filters keypoints'
        )
    if masks is not None and not mask_from_results:
        results = [part.result_type for task in tasks for part in task.parts()]
        if not any('mask' in {one.name for one in fields(result)} for result in results):
            MMLogger.get_current_instance().warning(
                f'masks do nothing for {", ".join(names)}: its results have none'
            )
    tracker = FrameTracker() if track and finder is not None else None
    return Plan(
        tasks=tasks,
        boxes=finder,
        masks=None if mask_from_results else find_masks(masks),
        mask_from_results=mask_from_results,
        crops=crops,
        batch_size=batch_size,
        max_bad_share=max_bad_share,
        workers=max(task.workers for task in tasks),
        asked={'boxes': _name_of(boxes), 'masks': _name_of(masks), 'smooth': smooth},
        trackers=[tracker] if tracker else [],
        finishers=[step for task in tasks for step in task.finishers(smooth)],
    )


def _detector_of(tasks: Sequence[Task]) -> BoxFinder:
    """The detector that a task was given, or the default of the first task that needs boxes."""
    given = [task for task in tasks if task.detector is not None]
    needy = [task for task in tasks if task.needs_boxes]
    return (given or needy or list(tasks))[0].find_people()


def _name_of(source: Any) -> str | None:
    """Boxes or masks in a word: a path, or the kind of an object."""
    if source is None:
        return None
    return str(source) if isinstance(source, (str, Path)) else type(source).__name__


def _check_numbers(batch_size: int, workers: int, max_bad_share: float) -> None:
    """Check the numbers of a run.

    Raises:
        ValueError: One is outside its range.
    """
    for name, value in (('batch_size', batch_size), ('workers', workers)):
        if value < 1:
            raise ValueError(f'{name} must be at least 1, got {value}')
    if not 0 <= max_bad_share <= 1:
        raise ValueError(f'max_bad_share must be between 0 and 1, got {max_bad_share}')
