#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Two or more runs side by side: ``python tools/analysis/compare_runs.py RUN RUN [RUN ...]``.

Prints where their configs differ, and the last and best value of every metric. RUN is a work directory.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from analysis.run_logs import read_curves, run_names

# Metrics of which less is better; of all others more is.
LESS_IS_BETTER = frozenset(
    'loss error angle mean median rmse mae mse mad sad rel absrel l1 l2 gradient connectivity'.split()
)
NOT_METRICS = ('lr', 'base_lr', 'time', 'data_time', 'memory', 'grad_norm')


def flatten(content: Any, prefix: str = '') -> dict[str, Any]:
    """Leaves of nested dicts and lists by dotted path."""
    if isinstance(content, dict):
        pairs = content.items()
    elif isinstance(content, list | tuple) and any(isinstance(v, dict) for v in content):
        pairs = enumerate(content)
    else:
        return {prefix: content}
    found: dict[str, Any] = {}
    for key, value in pairs:
        found |= flatten(value, f'{prefix}.{key}' if prefix else str(key))
    return found


def read_config(run: str) -> dict[str, Any]:
    """Leaves of the config that a run has dumped; empty if there is none."""
    from mmengine.config import Config

    dumped = sorted(Path(run).glob('*.py'))
    return flatten(Config.fromfile(dumped[-1]).to_dict()) if dumped else {}


def is_less_better(name: str) -> bool:
    """Whether a smaller value of a metric is the better one."""
    words = name.lower().replace('/', '_').replace('.', '_').split('_')
    return not LESS_IS_BETTER.isdisjoint(words)


def table(rows: list[list[str]], header: list[str]) -> str:
    """A Markdown table."""
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def config_rows(configs: list[dict[str, Any]]) -> list[list[str]]:
    """Settings that are not the same in all runs."""
    keys = sorted({key for config in configs for key in config})
    rows = []
    for key in keys:
        values = [repr(config[key]) if key in config else '' for config in configs]
        if len(set(values)) > 1:
            rows.append([key, *(value[:60] for value in values)])
    return rows


def metric_rows(runs: list[dict]) -> list[list[str]]:
    """Last value of every metric, and the best with its step."""
    import numpy as np

    names = sorted({name for curves in runs for name in curves} - set(NOT_METRICS))
    rows = []
    for name in names:
        cells = []
        for curves in runs:
            if name not in curves:
                cells.append('')
                continue
            steps, values = curves[name]
            signed = -values if is_less_better(name) else values
            best = np.where(np.isnan(values), -np.inf, signed).argmax()
            cells.append(f'{values[-1]:.5g} (best {values[best]:.5g} at {steps[best]})')
        rows.append([name, *cells])
    return rows


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', metavar='RUN')
    args = parser.parse_args()
    names = run_names(args.runs)
    values = metric_rows([read_curves(run) for run in args.runs])
    configs = {name: read_config(run) for name, run in zip(names, args.runs, strict=True)}
    known = [name for name, config in configs.items() if config]
    rows = config_rows([configs[name] for name in known])
    print('## Settings that differ\n')
    print(table(rows, ['setting', *known]) if rows else 'none')
    for name in names:
        if name not in known:
            print(f'\n{name}: no config in it')
    print('\n## Values\n')
    print(table(values, ['value', *names]))


if __name__ == '__main__':
    _bootstrap.run(main)
