# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The models of a page: loaded when first used, kept while they fit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import torch

from sapiens_inference.engine.models import read_config
from sapiens_inference.loading import find_model, load_task
from sapiens_inference.tasks import MULTITASK, TASKS, find_task


class ModelShelf:
    """Models by task.

    Args:
        weights: ``TASK=FILE``, published names (``sapiens_1b/pose_goliath``), or sizes (``sapiens_1b``) that stand for
            every published task.
        models: ``TASK=CONFIG`` for files whose config cannot be inferred.
        device: As :class:`sapiens_inference.Inferencer`.
        dtype: As :class:`sapiens_inference.Inferencer`.
        budget: Bytes of weights to keep; None for half of the memory that is free now.

    Attributes:
        sources: Weights by task, in the order of the page; ``multitask`` answers for all its tasks.

    Raises:
        ValueError: Weights of which the task is not clear.
    """

    def __init__(
        self,
        weights: Sequence[str],
        models: Sequence[str] = (),
        device: str | None = None,
        dtype: str = 'auto',
        budget: int | None = None,
    ) -> None:
        self.options = {'device': device, 'dtype': dtype}
        self.sources: dict[str, str] = {}
        for entry in weights:
            self.sources |= _tasks_of(entry)
        self.models = dict(entry.split('=', 1) for entry in models)
        self.budget = _free_memory(device) // 2 if budget is None else budget
        self._loaded: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()  # visitors' requests come from several threads

    @property
    def tasks(self) -> list[str]:
        """Tasks that can be chosen; of a multitask model its config says which it has."""
        names = [task for task in self.sources if task != MULTITASK.name]
        shared = self.sources.get(MULTITASK.name)
        if shared is not None:
            config, _ = find_model(MULTITASK.name, shared, self.models.get(MULTITASK.name))
            names += read_config(config).model.get('tasks', {})
        return [task for task in TASKS if task in names]

    def warm_up(self) -> None:
        """Load the multitask model, if there is one, before the first visitor asks for it.

        Raises:
            ValueError: It cannot be loaded.
        """
        if MULTITASK.name in self.sources:
            self.get(MULTITASK.name)

    def get(self, task: str) -> Any:
        """The inferencer of a task, loaded now if it is not there; others make room for it.

        Raises:
            ValueError: There are no weights of the task, or they cannot be loaded.
        """
        if task not in self.sources:
            raise ValueError(f'this page has no weights for {task}; it has {list(self.sources)}')
        with self._lock:
            if task not in self._loaded:
                found = load_task(task, self.sources[task], self.models.get(task), **self.options)
                while self._loaded and self.nbytes + _nbytes(found) > self.budget:
                    self._loaded.popitem(last=False)
                self._loaded[task] = found
            self._loaded.move_to_end(task)
            return self._loaded[task]

    @property
    def nbytes(self) -> int:
        """Bytes of all weights that are loaded."""
        return sum(map(_nbytes, self._loaded.values()))

    def choose(self, tasks: Sequence[str]) -> list[Any]:
        """Inferencers for these tasks; several tasks of the multitask model share one pass."""
        own = [task for task in TASKS if task in tasks and task in self.sources]
        found = [self.get(task) for task in own]
        rest = [task for task in TASKS if task in tasks and task not in own]
        if len(rest) == 1:
            shared = self.get(MULTITASK.name).loaded
            found.append(TASKS[rest[0]].load()(shared))
        elif rest:
            found.append(self.get(MULTITASK.name))
        return found


def _tasks_of(entry: str) -> dict[str, str]:
    """Weights by task of an entry of ``--weights``."""
    from sapiens_common.weights import is_published

    task, sign, value = entry.partition('=')
    if sign and not Path(entry).exists():
        return {find_task(task).name: value}
    published = {name: entry for name in TASKS if is_published(find_task(name).published(entry))}
    if published:
        return published
    task = entry.rpartition('/')[2].partition('_')[0]
    if '/' in entry and not Path(entry).exists() and task in (*TASKS, MULTITASK.name):
        return {task: entry}
    raise ValueError(
        f'{entry!r}: write TASK=FILE for a file (tasks: {", ".join([*TASKS, MULTITASK.name])}), or a published '
        'name such as sapiens_1b/pose_goliath'
    )


def _nbytes(inferencer: Any) -> int:
    model = inferencer.loaded.model
    return sum(value.nbytes for value in model.state_dict().values())


def _free_memory(device: str | None) -> int:
    if torch.cuda.is_available() and device != 'cpu':
        return torch.cuda.mem_get_info()[0]
    return psutil.virtual_memory().available
