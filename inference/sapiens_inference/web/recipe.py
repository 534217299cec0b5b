# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The command and the Python lines that give the same results as the page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sapiens_inference.tasks import MULTITASK, TASKS


def command_of(
    sources: Mapping[str, str], tasks: Sequence[str], names: Sequence[str], boxes: Any
) -> str:
    """The shell command.

    Args:
        sources: Weights by task.
        tasks: The chosen tasks.
        names: Names of the uploaded files.
        boxes: What was asked for: 'image', 'detector', or rows of x1, y1, x2, y2.
    """
    used = _used(sources, tasks)
    kind = MULTITASK.name if list(used) == [MULTITASK.name] else 'all'
    if len(used) == 1:
        kind = next(iter(used))
    lines = []
    option = boxes
    if not isinstance(boxes, str):
        lines.append(f'echo {shlex.quote(json.dumps({n: boxes for n in names}))} > boxes.json')
        option = 'boxes.json'
    weights = ' '.join(shlex.quote(f'{task}={value}') for task, value in used.items())
    files = ' '.join(map(shlex.quote, names))
    lines.append(
        f'python tools/demo.py {kind} {files} --weights {weights} --boxes {option} --out out'
    )
    return '\n'.join(lines)


def python_of(
    sources: Mapping[str, str], tasks: Sequence[str], names: Sequence[str], boxes: Any
) -> str:
    """The Python lines."""
    used = _used(sources, tasks)
    known = {**TASKS, MULTITASK.name: MULTITASK}
    imports, built = ['from sapiens_inference.engine.run import run_tasks'], []
    for task, weights in used.items():
        module, _, name = known[task].inferencer.partition(':')
        imports.append(f'from {module} import {name}')
        built.append(
            f'{name}({weights!r})' if not Path(weights).suffix else f"{name}('CONFIG', {weights!r})"
        )
    value = repr(boxes) if isinstance(boxes, str) else f'np.array({boxes})'
    if not isinstance(boxes, str):
        imports.insert(0, 'import numpy as np\n')
    call = f"run_tasks([{', '.join(built)}], {list(names)!r}, 'out', boxes={value})"
    return '\n'.join([*imports, '', f'summary = {call}', 'print(summary)'])


def _used(sources: Mapping[str, str], tasks: Sequence[str]) -> dict[str, str]:
    """The weights that give these tasks."""
    used = {task: sources[task] for task in tasks if task in sources}
    if any(task not in sources for task in tasks):
        used[MULTITASK.name] = sources[MULTITASK.name]
    return used
