# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Short trainings of shipped recipes over seeds: one run after the other, a row of a CSV file for each."""

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from runs import launch

Row = dict[str, Any]
NEVER = 10**9  # steps


class Table:
    """Rows in a CSV file; a study that is started again skips what stands there.

    Args:
        path: The file; made with its first row.
        keys: Columns that tell the runs apart.
    """

    def __init__(self, path: Path, keys: tuple[str, ...]) -> None:
        self.path, self.keys = path, keys
        self.rows: list[Row] = []
        if path.is_file():
            with path.open(encoding='utf-8', newline='') as file:
                self.rows = list(csv.DictReader(file))

    def fill(self, measure: Callable[..., Row], **key: Any) -> Row:
        """The row of a run, from the file or from ``measure(**key)``."""
        wanted = {name: str(key[name]) for name in self.keys}
        for row in self.rows:
            if all(row[name] == value for name, value in wanted.items()):
                return row
        found = {**key, **measure(**key)}
        columns = [*self.keys, *(name for name in found if name not in self.keys)]
        row = {name: str(found[name]) for name in columns}
        self.rows.append(row)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Appended, so that several processes can fill one table.
        with self.path.open('a', encoding='utf-8', newline='') as file:
            writer = csv.DictWriter(file, columns)
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)
        print(', '.join(f'{name} {value}' for name, value in row.items()), flush=True)
        return row

    def values(self, **key: Any) -> np.ndarray:
        """The column ``value`` of the rows of a key."""
        wanted = {name: str(value) for name, value in key.items()}
        rows = [r for r in self.rows if all(r[name] == value for name, value in wanted.items())]
        return np.array([float(row['value']) for row in rows])

    def spread(self, **key: Any) -> tuple[float, float]:
        """Mean and standard deviation of :meth:`values`; of a single run the deviation is 0."""
        values = self.values(**key)
        return float(values.mean()), float(values.std(ddof=min(1, len(values) - 1)))


def prepare(config: Config, folder: Path, seed: int) -> None:
    """Change a recipe for a short run that writes nothing but the log and loads its batches in this process.

    Args:
        config: Of ``runs.launch.load_config``; changed.
        folder: Work directory.
        seed: Of weights, order and augmentations.
    """
    config.work_dir = str(folder)
    config.experiment_name = folder.name
    config.randomness = {'seed': seed}
    config.default_hooks.checkpoint = None
    config.log_processor = {'by_epoch': False}
    config.train_cfg = {'type': 'IterBasedTrainLoop', 'val_interval': NEVER}
    config.train_dataloader.sampler = {'type': 'InfiniteSampler', 'shuffle': True}
    for name in ('train_dataloader', 'val_dataloader'):
        if config.get(name):
            config[name].update(num_workers=0, persistent_workers=False)


def train(config: Config, folder: Path, steps: int, seed: int, metric: str) -> Row:
    """Train a recipe for some steps, and evaluate it once at the end.

    Args:
        config: Of ``runs.launch.load_config``; changed.
        folder: Work directory.
        steps: Optimizer steps; the rate warms up for a tenth of them and falls to zero on a cosine.
        seed: Of weights, order and augmentations.
        metric: Name of the validation metric to report.

    Returns:
        ``value`` of the metric; ``trained``, parameters with gradients; ``seconds`` of processor time of training.
    """
    warmup = steps // 10
    prepare(config, folder, seed)
    config.default_hooks.logger = {'type': 'LoggerHook', 'interval': max(steps // 4, 1)}
    config.train_cfg.max_iters = steps
    config.param_scheduler = [
        {'type': 'LinearLR', 'start_factor': 0.1, 'end': warmup, 'by_epoch': False},
        {
            'type': 'CosineAnnealingLR',
            'begin': warmup,
            'end': steps,
            'T_max': steps - warmup,
            'by_epoch': False,
        },
    ]
    launch.enable_amp(config, 'auto')
    runner = launch.build_runner(config)
    start = time.process_time()
    runner.train()
    seconds = time.process_time() - start
    trained = sum(p.numel() for p in runner.model.parameters() if p.requires_grad)
    found = runner.val_loop.run()
    return {'value': f'{found[metric]:.5g}', 'trained': trained, 'seconds': f'{seconds:.1f}'}
