#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Which architecture learns most in the same processor time: ours and the paper's baselines at a tiny size (docs/baselines.md).

    python tools/data/render_humans.py --preset quickstart --count 600 --out RENDERS
    OMP_NUM_THREADS=1 python tools/benchmarks/equal_time.py RENDERS OUT --tasks pose

With --unlabelled, a folder of more people, our encoder is also pretrained on them (MAE) and then trained under the same
head for the same time as the random one:

    python tools/data/render_humans.py --preset quickstart --size 160 120 --count 1500 --seed 7 --out OTHERS
    OMP_NUM_THREADS=1 python tools/benchmarks/equal_time.py RENDERS OUT --unlabelled OTHERS/images

The time of training counts, with reading, augmentations and targets, which this process does; that of evaluation does not.
Everything is float32. Each architecture takes the better of two learning rates, its recipe's and four times that, by runs of
a quarter of the time that are judged on people of the training set. Writes OUT/equal_time_<task>.csv; started again, it
goes on.
"""

import argparse
import math
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from mmengine.hooks import Hook
from mmengine.runner import Runner

OURS = {name: 'sapiens_tiny_synthetic' for name in ('ours', 'ours_mae')}
OURS['sapiens2'] = 'sapiens2_tiny_synthetic'
ARCHITECTURES = {
    'pose': ['hrnet_w24', 'vitpose_tiny', 'rtmpose_tiny'],
    'seg': ['fcn_r18', 'deeplabv3plus_r18', 'segformer_b0', 'mask2former_swin_w32'],
    'depth': ['swin_w32', 'convnext_atto', 'vit_tiny_dpt'],
    'normal': ['swin_w32', 'convnext_atto', 'vit_tiny_dpt'],
}
METRICS = {  # the first chooses the rate, by the larger (1) or the smaller (-1)
    'pose': (1, ['PCK', 'goliath/body_AP', 'goliath/AP']),
    'seg': (1, ['mIoU', 'aAcc']),
    'depth': (-1, ['depth/aligned_rmse', 'depth/aligned_abs_rel']),
    'normal': (-1, ['normal/mean', 'normal/within_11.25']),
}
RATES = (1, 4)


class ProcessorBudget(Hook):
    """Ends the training when its processor time is spent; rates warm up for a tenth of it and fall to zero on a cosine.

    Args:
        seconds: Processor time of this process.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def before_train(self, runner: Runner) -> None:
        """Start the clock."""
        self.rates = [group['lr'] for group in runner.optim_wrapper.param_groups]
        self.start = time.process_time()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the rates of the step."""
        spent = self.spent()
        warm = min(max(spent, 1e-3) / 0.1, 1.0)
        factor = warm * 0.5 * (1 + math.cos(math.pi * max(spent - 0.1, 0) / 0.9))
        for group, rate in zip(runner.optim_wrapper.param_groups, self.rates, strict=True):
            group['lr'] = rate * factor

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Stop when nothing is left."""
        runner.train_loop.stop_training = self.spent() >= 1

    def spent(self) -> float:
        """Share of the time that is spent, at most 1."""
        return min((time.process_time() - self.start) / self.seconds, 1.0)


def run(config: Any, folder: Path, seconds: float, rate: float, seed: int) -> Runner:
    """Train a recipe for some processor time at ``rate`` times its learning rate."""
    from benchmarks.studies import NEVER, prepare
    from runs import launch

    prepare(config, folder, seed)
    config.train_cfg.max_iters = NEVER
    config.param_scheduler = None
    config.custom_hooks = []  # pictures of the training
    config.optim_wrapper.optimizer.lr *= rate
    runner = launch.build_runner(config)
    runner.register_hook(ProcessorBudget(seconds))
    runner.train()
    return runner


def report(table: Any, metrics: list[str]) -> None:
    """Print the figures of a task as a Markdown table."""
    columns = ['name', 'parameters', 'rate', 'steps', *metrics]
    print('\n| ' + ' | '.join(columns) + ' |\n' + '|---' * len(columns) + '|')
    for row in table.rows:
        if row['part'] == 'figures':
            print('| ' + ' | '.join(row[column] for column in columns) + ' |')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('renders', type=Path, metavar='RENDERS')
    parser.add_argument('out', type=Path, metavar='OUT')
    parser.add_argument('--tasks', nargs='+', choices=ARCHITECTURES, default=list(ARCHITECTURES))
    parser.add_argument('--names', nargs='+', help='architectures (default: all of the task)')
    parser.add_argument('--seconds', type=float, default=90, help='processor time of a training')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--unlabelled', type=Path, help='images to pretrain our encoder on')
    parser.add_argument('--pretrain-seconds', type=float, default=300)
    return parser.parse_args()


def main() -> int:
    """Pretrain, choose the rates, train, print."""
    args = parse_args()
    renders, out = args.renders.resolve(), args.out.resolve()
    from benchmarks.studies import Table
    from runs import launch

    encoder = out / 'mae.pth'
    if args.unlabelled and not encoder.is_file():
        options = {'crop': [128, 96]}
        config = launch.load_config('pretrain/sapiens_tiny_synthetic.py', None, 'none', options)
        config.train_dataloader.dataset.images = str(args.unlabelled.resolve())
        runner = run(config, out / 'runs/mae', args.pretrain_seconds, 1, args.seed)
        print(f'pretrained for {runner.iter} steps')
        runner.save_checkpoint(str(out), encoder.name, save_optimizer=False)

    def measure(task: str, name: str, rate: float, part: str, seed: int) -> dict[str, Any]:
        leaf = OURS.get(name, f'baselines/{name}_synthetic')
        config = launch.load_config(f'{task}/{leaf}.py', None, 'none', {'data_root': str(renders)})
        config.train_dataloader.batch_size = args.batch_size
        if name == 'ours_mae':
            config.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(encoder))
        if task == 'pose':
            config.model.test_cfg.flip_test = False
            pck = dict(type='mmpose.PCKAccuracy', thr=0.05, norm_item='bbox')
            config.val_evaluator = [config.val_evaluator, pck]
        seconds = args.seconds
        if part == 'choose':
            seconds /= 4
            data = config.train_dataloader.dataset
            config.val_dataloader.dataset.update(ann_file=data.ann_file, indices=60)
        runner = run(config, out / f'runs/{task}_{name}_{part}_{rate}_{seed}', seconds, rate, seed)
        parameters = sum(weight.numel() for weight in runner.model.parameters())
        found = runner.val_loop.run()
        row = {key: f'{found[key]:.5g}' for key in METRICS[task][1]}
        return {**row, 'steps': runner.iter, 'parameters': parameters, 'seconds': seconds}

    for task in args.tasks:
        table = Table(out / f'equal_time_{task}.csv', ('name', 'rate', 'part', 'seed'))
        ours = ['ours', *(['ours_mae'] if args.unlabelled else [])]
        if task != 'depth':  # which the second generation does not have
            ours.append('sapiens2')
        sign, (first, *_) = METRICS[task]
        for name in args.names or [*ours, *ARCHITECTURES[task]]:
            key = {'task': task, 'name': name, 'seed': args.seed}
            found = {
                rate: sign * float(table.fill(measure, **key, rate=rate, part='choose')[first])
                for rate in RATES
            }
            table.fill(measure, **key, rate=max(found, key=found.__getitem__), part='figures')
        report(table, METRICS[task][1])
    return 0


if __name__ == '__main__':
    _bootstrap.run(main)
