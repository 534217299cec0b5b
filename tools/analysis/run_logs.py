# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Scalars that a run has logged: mmengine's ``vis_data/scalars.json``, one JSON object per line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Curve(NamedTuple):
    """One logged value: ``steps`` (N,) iterations or epochs, ``values`` (N,)."""

    steps: np.ndarray
    values: np.ndarray


def find_logs(run: str | Path) -> list[Path]:
    """Scalar files of a run, oldest first: a resumed run has one per start.

    Raises:
        ValueError: The path does not exist, or holds none.
    """
    path = Path(run)
    if not path.exists():
        raise ValueError(f'{run} does not exist; expected the work directory of a run')
    if path.is_file():
        return [path]
    found = sorted(path.glob('*/vis_data/scalars.json')) or sorted(path.rglob('scalars.json'))
    if not found:
        raise ValueError(
            f'{run}: no vis_data/scalars.json in it; expected the work directory of a run, or the file'
        )
    return found


def read_curves(run: str | Path) -> dict[str, Curve]:
    """Every logged value of a run by its name.

    What a resumed run logged again replaces what the earlier start had logged of the same steps.

    Raises:
        ValueError: No log, nothing in it, or a line that is not a JSON object (the last line of a killed run
            may be torn).
    """
    values: dict[str, dict[int, float]] = {}
    for path in find_logs(run):
        lines = path.read_text(encoding='utf-8').splitlines()
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                if number == len(lines):
                    continue
                entry = None
            if not isinstance(entry, dict):
                raise ValueError(f'{path}:{number}: expected a JSON object, got {line!r:.60}')
            step = entry.get('step', entry.get('iter'))
            if step is None:
                continue
            for name, value in entry.items():
                if isinstance(value, int | float) and name not in ('step', 'iter', 'epoch'):
                    values.setdefault(name, {})[int(step)] = float(value)
    if not values:
        raise ValueError(f'{run}: nothing is logged yet; expected lines with a "step" and values')
    curves = {}
    for name, points in values.items():
        steps = sorted(points)
        curves[name] = Curve(np.array(steps), np.array([points[step] for step in steps]))
    return curves


def run_names(runs: list[str]) -> list[str]:
    """A short name for each run: its last folders, as many as tell the runs apart.

    Raises:
        ValueError: A run is named twice.
    """
    if len({Path(run).resolve() for run in runs}) < len(runs):
        raise ValueError(f'a run is named twice: {", ".join(runs)}')
    parts = [Path(run).resolve().with_suffix('').parts for run in runs]
    for count in range(1, 1 + max(map(len, parts))):
        names = ['/'.join(path[-count:]) for path in parts]
        if len(set(names)) == len(names):
            break
    return names
