# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From what a user names on a command line to inferencers: ``pose=FILE``, a published name, a size."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sapiens_inference.tasks import MULTITASK, TASKS, find_task

if TYPE_CHECKING:  # commands read their options with this module, and start at once
    from mmengine.config import Config


def split_by_task(entries: Sequence[str], tasks: Sequence[str]) -> dict[str, str]:
    """Split ``TASK=VALUE`` entries; a value without a task stands for all tasks not named.

    Raises:
        ValueError: An unknown task.
    """
    found: dict[str, str] = {}
    known = (*TASKS, MULTITASK.name)
    for entry in entries:
        task, sign, value = entry.partition('=')
        if not sign or (task not in known and Path(entry).exists()):
            found.update({name: entry for name in tasks if name not in found})
        elif task in known:
            found[task] = value
        else:
            raise ValueError(f'{entry!r}: {task!r} is not one of {", ".join(known)}')
    return found


def named_tasks(entries: Sequence[str]) -> list[str]:
    """Tasks that ``--weights`` of several tasks names: by ``TASK=FILE``, or those published of a size.

    Raises:
        ValueError: It names none.
    """
    from sapiens_common.weights import is_published

    named = {entry.partition('=')[0] for entry in entries if '=' in entry}
    sizes = [entry for entry in entries if '=' not in entry]
    found = [
        task.name
        for task in TASKS.values()
        if task.name in named or any(is_published(task.published(size)) for size in sizes)
    ]
    if not found:
        raise ValueError(
            f'--weights {" ".join(entries)} names no task: give TASK=FILE for each of '
            f'{", ".join(TASKS)} that is wanted, or a published size such as sapiens_1b'
        )
    return found


def options_by_task(given: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Hand a command's options to the tasks whose inferencers take them, and note on stderr which do nothing.

    A multitask model is handed all: what it takes is known once it is loaded, and it refuses the others itself.

    Args:
        given: Inferencers' own options by name, such as ``keypoints``; None stands for one not given.
        tasks: Names of tasks.
    """
    options: dict[str, dict[str, Any]] = {task: {} for task in tasks}
    for name, value in given.items():
        takers = [task for task in tasks if value is not None and _takes(task, name)]
        for task in takers:
            options[task][name] = value
        if value is not None and not takers:
            flag = name.replace('_', '-')
            print(f'note: --{flag} does nothing for {", ".join(tasks)}', file=sys.stderr)
    return options


def _takes(task: str, option: str) -> bool:
    """Whether the inferencer of a task takes an option of its own."""
    return (
        task == MULTITASK.name
        or option in inspect.signature(find_task(task).load().setup).parameters
    )


def find_model(task: str, weights: str, model: str | None = None) -> tuple[str | Config, Path]:
    """Config and checkpoint file of a task.

    Args:
        task: A name of :data:`sapiens_inference.tasks.TASKS`, or ``multitask``.
        weights: Checkpoint file, published name, or a size such as ``sapiens_1b``, which stands for the
            published model of the task.
        model: Config file or name; None takes the published model's, or infers it from the checkpoint.

    Raises:
        ValueError: There are no such weights, or no config that fits them.
    """
    from sapiens_common.weights import find_weights, is_published
    from sapiens_inference.guess import config_of

    published = find_task(task).published(weights)
    name = published if is_published(published) else weights
    path = find_weights(name)
    return model or (name if is_published(name) else config_of(path, task)), path


def load_task(task: str, weights: str, model: str | None = None, **options: Any) -> Any:
    """The inferencer of a task; arguments and errors as :func:`find_model`, options as the inferencer's."""
    config, path = find_model(task, weights, model)
    return find_task(task).load()(config, path, **options)
