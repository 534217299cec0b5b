#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What a teacher brings to a small student that has few labels: online, offline, and none (docs/distillation.md).

    python tools/data/render_humans.py --preset quickstart --size 160 120 --count 800 --seed 7 --val-fraction 0.25 --out RENDERS
    python tools/annotate.py OUT/unlabelled.txt OUT/taught --tasks multitask --weights sapiens_tiny/multitask_synthetic --boxes image
    OMP_NUM_THREADS=1 python tools/benchmarks/distillation.py RENDERS OUT

Trains the students of configs/*/cspnext_tiny_synthetic*.py on the labels of some people, with the teacher on the same
people, and with its labels of all the others ('all labels' are their true ones). The first start writes
OUT/unlabelled.txt, the list for the second command, and ends. Writes OUT/distillation.csv; started again, it goes on.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap

METRICS = {'pose': ('PCK', 'PCK@0.1 of the box, %', 100), 'seg': ('mIoU', 'mIoU, %', 1)}
RECIPES = {'labels': '', 'online': '_distilled', 'offline': '_offline', 'all labels': ''}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('renders', type=Path, metavar='RENDERS')
    parser.add_argument('out', type=Path, metavar='OUT')
    parser.add_argument(
        '--arms', nargs='+', choices=RECIPES, default=['labels', 'offline', 'online']
    )
    parser.add_argument('--labelled', type=int, default=30, help='people with labels')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--steps', type=int, default=240)
    parser.add_argument('--batch-size', type=int, default=16)
    return parser.parse_args()


def split(renders: Path, out: Path, labelled: int) -> None:
    """Write ``labelled.json`` and ``.txt`` with the first images of the training list, ``unlabelled.txt`` with the others."""
    from benchmarks.few_images_data import subset, write

    path = renders / 'annotations/person_keypoints_train.json'
    content = json.loads(path.read_text(encoding='utf-8'))
    out.mkdir(parents=True, exist_ok=True)
    write(subset(content, content['images'][:labelled]), out / 'labelled')
    others = [str(renders / 'images' / i['file_name']) for i in content['images'][labelled:]]
    (out / 'unlabelled.txt').write_text('\n'.join(others), encoding='utf-8')


def recipe(task: str, arm: str, renders: Path, out: Path) -> Any:
    """Config of one student."""
    from runs import launch

    options = {'data_root': str(renders)}
    if arm == 'offline':
        options['taught_root'] = str(out / 'taught')
    name = f'{task}/cspnext_tiny_synthetic{RECIPES[arm]}.py'
    config = launch.load_config(name, None, 'none', options)
    data = config.train_dataloader.dataset
    if arm != 'all labels':
        suffix = 'json' if task == 'pose' else 'txt'
        data.get('datasets', [data])[0].ann_file = str(out / f'labelled.{suffix}')
    if task == 'pose':
        config.model.test_cfg.flip_test = False
        config.val_evaluator = dict(type='mmpose.PCKAccuracy', thr=0.1, norm_item='bbox')
    return config


def main() -> int:
    """Split, run, print."""
    args = parse_args()
    renders, out = args.renders.resolve(), args.out.resolve()
    split(renders, out, args.labelled)
    if not (out / 'taught/manifest.json').is_file():
        print(
            f'{out}/unlabelled.txt is written: now run the second command of --help, and this again'
        )
        return 0
    from benchmarks.studies import Table, train

    def measure(task: str, arm: str, seed: int) -> dict[str, Any]:
        config = recipe(task, arm, renders, out)
        config.train_dataloader.batch_size = args.batch_size
        folder = out / f'runs/{task}_{arm.replace(" ", "_")}_{seed}'
        return train(config, folder, args.steps, seed, METRICS[task][0])

    table = Table(out / 'distillation.csv', ('task', 'arm', 'seed'))
    for seed in args.seeds:
        for task in METRICS:
            for arm in args.arms:
                table.fill(measure, task=task, arm=arm, seed=seed)
    for arm in args.arms:
        for task, (_, name, scale) in METRICS.items():
            mean, spread = table.spread(task=task, arm=arm)
            count = len(table.values(task=task, arm=arm))
            print(f'{arm}: {name} {scale * mean:.1f} +- {scale * spread:.1f} of {count}')
    return 0


if __name__ == '__main__':
    _bootstrap.run(main)
