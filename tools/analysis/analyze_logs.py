#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Curves and times of runs: ``python tools/analysis/analyze_logs.py RUN [RUN ...] --keys loss --out curves.png``.

RUN is a work directory or a scalars.json. Without --keys the logged values are listed. One panel per key,
one line per run; below, the time per iteration.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from analysis.run_logs import read_curves, run_names


def time_table(runs: dict[str, dict]) -> str:
    """Seconds per iteration and waiting for data, median and 95th percentile, of each run."""
    import numpy as np

    lines = [
        '| run | iterations logged | s/iteration (median) | 95 % | waiting for data |',
        '|---|---|---|---|---|',
    ]
    for name, curves in runs.items():
        if 'time' not in curves:
            lines.append(f'| {name} | 0 | | | |')
            continue
        times = curves['time'].values
        waiting = curves['data_time'].values.sum() / times.sum() if 'data_time' in curves else 0.0
        middle, slow = np.median(times), np.percentile(times, 95)
        lines.append(f'| {name} | {len(times)} | {middle:.4f} | {slow:.4f} | {waiting:.1%} |')
    return '\n'.join(lines)


def draw(runs: dict[str, dict], keys: list[str], out: Path) -> None:
    """Write the picture."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        len(keys), 1, figsize=(8, 3 * len(keys)), squeeze=False, layout='constrained'
    )
    for key, panel in zip(keys, panels[:, 0], strict=True):
        for name, curves in runs.items():
            if key in curves:
                panel.plot(curves[key].steps, curves[key].values, label=name, linewidth=1.2)
        panel.set(title=key, xlabel='step')
        panel.grid(alpha=0.3)
        panel.legend(fontsize='small')
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    pyplot.close(figure)


def main() -> None:
    """Read, list or draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', metavar='RUN')
    parser.add_argument('--keys', nargs='+', default=[], help='logged values to draw')
    parser.add_argument('--out', default='curves.png', metavar='FILE.png')
    args = parser.parse_args()
    runs = {
        name: read_curves(run) for name, run in zip(run_names(args.runs), args.runs, strict=True)
    }
    logged = sorted({key for curves in runs.values() for key in curves})
    unknown = [key for key in args.keys if key not in logged]
    if unknown:
        raise ValueError(f'no run has logged {unknown}; there are {logged}')
    if args.keys:
        draw(runs, args.keys, Path(args.out))
        print(f'wrote {args.out}')
    else:
        print('logged: ' + ', '.join(logged))
    print(time_table(runs))


if __name__ == '__main__':
    _bootstrap.run(main)
