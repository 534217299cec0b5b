# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Inference on anything: one engine for every task.

Import the inferencers from their packages (``sapiens_pose.apis``, ``sapiens_seg.apis``,
``sapiens_depth_normal.apis``, ``sapiens_multitask.apis``), or ask :data:`sapiens_inference.tasks.TASKS`.
"""

from importlib import import_module
from typing import Any

# Imported when they are asked for: a command that only reads the table of tasks starts at once.
_PLACES = {
    'Boxes': 'items',
    'Inferencer': 'engine.inferencer',
    'Item': 'items',
    'Result': 'outputs.results',
    'Source': 'outputs.results',
    'Summary': 'outputs.summary',
    'Task': 'engine.task',
    'run_tasks': 'engine.run',
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_PLACES[name]}'), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
