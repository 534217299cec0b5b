# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The inferencers of a worker, from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch

from sapiens_inference.engine.task import Task
from sapiens_inference.loading import load_task

from .settings import Settings


def build_tasks(settings: Settings) -> Sequence[Task]:
    """Load the models that the settings name, with a person detector where one is needed.

    Raises:
        ValueError: Weights or configs do not exist or do not fit each other.
    """
    common: dict[str, Any] = {'device': settings.device, 'dtype': settings.dtype}
    tasks = [
        load_task(
            name, weights, settings.models.get(name), **common, **settings.options.get(name, {})
        )
        for name, weights in settings.weights.items()
    ]
    needs = crops_of(settings, tasks) or any(task.needs_boxes for task in tasks)
    if needs and settings.boxes in (None, 'detector'):
        # Imported by name: this package must not depend on those of the tasks.
        det = import_module('sapiens_det.person_detector')
        detector = det.PersonDetector(
            settings.detector.get('model') or det.DEFAULT_MODEL,
            settings.detector.get('weights') or det.DEFAULT_WEIGHTS,
            device=settings.device,
            score_thr=settings.detector.get('score', 0.3),
        )
        for task in tasks:
            task.detector = detector
    return tasks


def crops_of(settings: Settings, tasks: Sequence[Task]) -> bool:
    """Whether dense tasks run person by person: if asked for, and if boxes were given that no other task takes."""
    unused = settings.boxes is not None and not any(task.needs_boxes for task in tasks)
    return settings.crops or unused


def pick_precision(device: str | None, dtype: str, on_gpus: bool) -> tuple[str, str]:
    """Device and precision of all workers, decided once.

    Args:
        device: As asked for; None picks GPUs where there are some.
        dtype: As asked for, ``auto`` too.
        on_gpus: Whether workers are given GPUs on machines that this one cannot ask.
    """
    from sapiens_common.models.precision import parse_dtype
    from sapiens_inference.engine.models import pick_device

    if on_gpus and not torch.cuda.is_available():
        return 'cuda', 'bfloat16' if dtype == 'auto' else dtype
    found = pick_device(device)
    return str(found), str(parse_dtype(dtype, found)).removeprefix('torch.')
