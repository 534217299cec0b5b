#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Learning rate and other schedules of a config: ``python tools/analysis/visualize_scheduler.py CONFIG --out lr.png``.

The schedulers are built and stepped as training does. ``--iterations-per-epoch`` stands for the data.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from _run_arguments import OptionsAction


def trace(config: Any, per_epoch: int) -> dict[str, list[float]]:
    """Learning rate (and momentum, where it is scheduled) of each iteration of the whole training.

    Raises:
        ValueError: The config trains nothing.
    """
    import mmengine.optim  # noqa: F401  (registers the schedulers)
    import torch
    from mmengine.registry import PARAM_SCHEDULERS, init_default_scope

    init_default_scope(config.get('default_scope') or 'mmengine')
    train = config.get('train_cfg')
    if not train:
        raise ValueError(f'{config.filename}: no train_cfg, so there is no schedule')
    iterations = train.get('max_iters') or train['max_epochs'] * per_epoch
    settings = dict(config.optim_wrapper.optimizer)
    optimizer = torch.optim.SGD(
        [torch.nn.Parameter(torch.zeros(1))], lr=settings['lr'], momentum=0.9
    )
    wanted = config.get('param_scheduler') or []
    defaults = {'optimizer': optimizer, 'epoch_length': per_epoch}
    entries = [wanted] if isinstance(wanted, dict) else wanted
    schedulers: list[Any] = [
        PARAM_SCHEDULERS.build(dict(e), default_args=defaults) for e in entries
    ]
    values: dict[str, list[float]] = {'lr': [], 'momentum': []}
    for step in range(1, iterations + 1):
        for name, points in values.items():
            points.append(optimizer.param_groups[0][name])
        optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or step % per_epoch == 0:
                scheduler.step()
    if len(set(values['momentum'])) == 1:
        del values['momentum']
    return values


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('--iterations-per-epoch', type=int, default=100)
    parser.add_argument('--out', default='schedule.png', metavar='FILE.png')
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot
    from runs.launch import load_config

    config = load_config(args.config, None, 'none', args.cfg_options)
    values = trace(config, args.iterations_per_epoch)
    figure, panels = pyplot.subplots(
        len(values), 1, figsize=(8, 3 * len(values)), squeeze=False, layout='constrained'
    )
    for (name, points), panel in zip(values.items(), panels[:, 0], strict=True):
        panel.plot(points)
        panel.set(title=name, xlabel='iteration')
        panel.grid(alpha=0.3)
        print(
            f'{name}: starts at {points[0]:.3g}, highest {max(points):.3g}, ends at {points[-1]:.3g}'
        )
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, dpi=120)
    print(f'wrote {args.out}')


if __name__ == '__main__':
    _bootstrap.run(main)
