# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The command and the Python lines that give the same results as the page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from sapiens_inference.tasks import MULTITASK
from sapiens_inference.web.shelf import ModelShelf


def command_of(
    shelf: ModelShelf,
    tasks: Sequence[str],
    names: Sequence[str],
    boxes: Any,
    formats: Sequence[str] = (),
) -> str:
    """The shell command.

    Args:
        shelf: The models of the page.
        tasks: The chosen tasks.
        names: Names of the uploaded files.
        boxes: What was asked for: 'image', 'detector', or rows of x1, y1, x2, y2.
        formats: Names of exports.
    """
    used = _used(shelf, tasks)
    words = ['python', 'tools/demo.py', next(iter(used)) if len(used) == 1 else 'all', *names]
    words += ['--weights', *(f'{task}={weights}' for task, (weights, _) in used.items())]
    configs = [f'{task}={config}' for task, (_, config) in used.items() if config]
    words += ['--model', *configs] if configs else []
    words += ['--boxes', boxes if isinstance(boxes, str) else 'boxes.json']
    if len(used) > 1:
        words += ['--crops']
    for name, value in _options(shelf).items():
        words += [f'--{name}', value]
    words += ['--export', *formats] if formats else []
    line = shlex.join([*words, '--out', 'out'])
    if isinstance(boxes, str):
        return line
    return f'echo {shlex.quote(json.dumps(dict.fromkeys(names, boxes)))} > boxes.json\n{line}'


def python_of(
    shelf: ModelShelf,
    tasks: Sequence[str],
    names: Sequence[str],
    boxes: Any,
    formats: Sequence[str] = (),
) -> str:
    """The Python lines; arguments as :func:`command_of`."""
    used = _used(shelf, tasks)
    options = ''.join(f', {name}={value!r}' for name, value in _options(shelf).items())
    lines = [
        'from sapiens_inference.engine.run import run_tasks',
        'from sapiens_inference.loading import load_task',
    ]
    value = repr(boxes)
    if not isinstance(boxes, str):
        lines.insert(0, 'import numpy as np\n')
        value = f'np.array({boxes})'
    if formats:
        lines.append('from sapiens_inference.outputs.exports import export_run')
    lines += ['', 'tasks = [']
    for task, (weights, config) in used.items():
        model = f', {config!r}' if config else ''
        lines.append(f'    load_task({task!r}, {weights!r}{model}{options}),')
    masks = ', masks=True' if len(used) > 1 and 'seg' in used else ''
    lines += [']', f"summary = run_tasks(tasks, {list(names)!r}, 'out', boxes={value}{masks})"]
    if formats:
        lines.append(f"export_run('out', {list(formats)!r}, images={list(names)!r})")
    return '\n'.join([*lines, 'print(summary)'])


def _used(shelf: ModelShelf, tasks: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Weights and config by task of a command; several tasks of the multitask model alone are one run of it."""
    if len(tasks) > 1 and not any(task in shelf.sources for task in tasks):
        tasks = [MULTITASK.name]
    origins = {task: task if task in shelf.sources else MULTITASK.name for task in tasks}
    return {task: (shelf.sources[o], shelf.models.get(o)) for task, o in origins.items()}


def _options(shelf: ModelShelf) -> dict[str, str]:
    """What the page was started with, where it is not the default."""
    return {name: v for name, v in shelf.options.items() if v not in (None, 'auto')}
