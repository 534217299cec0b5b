#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Long runs that watch for growth: memory, open files and shared memory of a process and its children.

``python tools/soak.py train CONFIG --steps 5000`` trains; ``python tools/soak.py infer pose CONFIG
CHECKPOINT FOLDER --images 10000`` predicts a folder's images over and over. Both print a line per
measurement and exit with 1 when the second half of the run grew by more than the allowance.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import _bootstrap  # noqa: F401  (puts the task folders on the path)
import psutil
from _run_arguments import OptionsAction

from sapiens_inference.tasks import TASKS

ALLOWED_MB, ALLOWED_FILES, ALLOWED_SHARED_MB = 64, 8, 16


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest='mode', required=True)
    train = modes.add_parser('train', help='train a config')
    train.add_argument('config')
    train.add_argument('--steps', type=int, default=5000)
    train.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE')
    infer = modes.add_parser('infer', help='predict images')
    infer.add_argument('task', choices=TASKS)
    infer.add_argument('config')
    infer.add_argument('checkpoint')
    infer.add_argument('folder', help='images; each is one person in its whole frame')
    infer.add_argument('--images', type=int, default=10_000)
    parser.add_argument('--points', type=int, default=20, help='measurements over the run')
    return parser.parse_args()


def measure() -> tuple[float, int, float]:
    """Resident memory in MB and open files of this process and its children, and /dev/shm in MB."""
    process = psutil.Process()
    memory, files = 0.0, 0
    for one in (process, *process.children(recursive=True)):
        try:
            memory += one.memory_info().rss / 2**20
            files += one.num_fds()
        except psutil.NoSuchProcess:  # a loader worker that ended meanwhile
            continue
    shared = psutil.disk_usage('/dev/shm').used / 2**20 if os.path.isdir('/dev/shm') else 0.0
    return memory, files, shared


class Watch:
    """Measures every so many steps and judges at the end."""

    def __init__(self, total: int, points: int) -> None:
        self.every = max(1, total // points)
        self.rows: list[tuple[float, int, float]] = []

    def step(self, number: int) -> None:
        """Call after every step, counted from 1."""
        if number % self.every == 0:
            self.rows.append(measure())
            memory, files, shared = self.rows[-1]
            print(
                f'{number:8} {memory:9.1f} MB {files:5} files {shared:8.1f} MB shared', flush=True
            )

    def verdict(self) -> int:
        """0 when the second half did not grow beyond the allowance, else 1."""
        half = self.rows[len(self.rows) // 2 :]
        growth = [last - first for first, last in zip(half[0], half[-1], strict=True)]
        allowed = (ALLOWED_MB, ALLOWED_FILES, ALLOWED_SHARED_MB)
        names = ('memory (MB)', 'open files', 'shared memory (MB)')
        for name, value, limit in zip(names, growth, allowed, strict=True):
            print(f'{name}: {value:+.1f} over the second half, allowed {limit}')
        return int(any(value > limit for value, limit in zip(growth, allowed, strict=True)))


def train(args: argparse.Namespace, watch: Watch) -> None:
    """Train without validation, measuring after iterations."""
    from mmengine.hooks import Hook
    from runs import launch

    class WatchHook(Hook):
        def after_train_iter(self, runner: object, *unused: object, **ignored: object) -> None:
            watch.step(runner.iter + 1)

    with tempfile.TemporaryDirectory() as folder:
        config = launch.load_config(args.config, folder, 'none', args.cfg_options)
        launch.disable_validation(config)
        config.train_cfg = {'by_epoch': False, 'max_iters': args.steps}
        config.default_hooks.checkpoint.update(
            interval=max(1, args.steps // 10), by_epoch=False, save_best=None
        )
        runner = launch.build_runner(config)
        runner.register_hook(WatchHook())
        runner.train()


def infer(args: argparse.Namespace, watch: Watch) -> None:
    """Predict the images of a folder again and again."""
    from sapiens_common.files.images import list_images

    inferencer = TASKS[args.task].load()(args.config, args.checkpoint)
    paths = list_images(args.folder)
    wanted = (str(paths[number % len(paths)]) for number in range(args.images))
    for number, _ in enumerate(inferencer.stream(wanted, boxes='image'), start=1):
        watch.step(number)


def main() -> int:
    """Run and judge."""
    args = parse_args()
    watch = Watch(args.steps if args.mode == 'train' else args.images, args.points)
    print(f'    step    memory      files      shared  ({Path(args.config).stem})')
    {'train': train, 'infer': infer}[args.mode](args, watch)
    return watch.verdict()


if __name__ == '__main__':
    sys.exit(main())
