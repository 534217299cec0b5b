#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Which way of fine-tuning is the most accurate at how many images: the bundled model, other points and other classes.

    python tools/data/render_humans.py --preset quickstart --size 160 120 --count 800 --seed 7 --val-fraction 0.25 --out RENDERS
    OMP_NUM_THREADS=1 python tools/benchmarks/few_images.py RENDERS OUT

Trains the shipped recipes with the strategies of configs/_base_/strategies/ on subsets of the rendered people, with
labels that the model's heads do not have: ten points between its keypoints, and five classes of garments and skin. The
encoder's rate of each way is chosen for the points, on 100 images and a third of the held-out people; the others are
for the figures.
Writes OUT/few_images.csv and .png; started again, it goes on.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap

TASKS = {'points': 'PCK@0.05 of the box, %', 'classes': 'mIoU, %'}
# Rates of the encoder to choose from, as multiples of the recipe's, which is made for training from scratch.
RATES = {
    'full': (0.2, 1.0),
    'lora': (1.0, 4.0),
    'lora.attn': (4.0,),  # as lora's
    'last_blocks': (0.2, 1.0),
    'bitfit': (1.0, 4.0),
    'frozen': (1.0,),  # no rate counts
    'scratch': (1.0,),
}
LABELS = {
    'full': 'all weights',
    'lora': 'LoRA, rank 8',
    'lora.attn': 'LoRA, rank 8, attention alone',
    'last_blocks': 'last 2 blocks',
    'bitfit': 'biases (BitFit)',
    'frozen': 'head alone',
    'scratch': 'all weights, from scratch',
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('renders', type=Path, metavar='RENDERS')
    parser.add_argument('out', type=Path, metavar='OUT')
    parser.add_argument('--tasks', nargs='+', choices=TASKS, default=list(TASKS))
    parser.add_argument('--ways', nargs='+', choices=RATES, default=list(RATES))
    parser.add_argument('--images', nargs='+', type=int, default=[20, 100, 500])
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--steps', type=int, default=150)
    parser.add_argument('--batch-size', type=int, default=16)
    return parser.parse_args()


def main() -> int:
    """Prepare, choose the rates, run the grid, draw."""
    args = parse_args()
    from benchmarks.few_images_data import prepare
    from benchmarks.few_images_runs import Study

    prepare(args.renders, args.out / 'data')
    study = Study(args.renders.resolve(), args.out, args.steps, args.batch_size)
    best = {}
    for way in args.ways:
        # A seed that the figures do not have.
        key = {'part': 'choose', 'task': args.tasks[0], 'way': way, 'images': 100, 'seed': 1000}
        rates = RATES[way]
        found = [study.run(**key, rate=rate) for rate in rates if len(rates) > 1]
        best[way] = rates[found.index(max(found))] if found else rates[0]
    for seed in args.seeds:
        for images in args.images:
            for task in args.tasks:
                for way, rate in best.items():
                    key = {'task': task, 'way': way, 'images': images, 'seed': seed}
                    study.run(part='figures', rate=rate, **key)
    study.report(TASKS, LABELS, best)
    return 0


if __name__ == '__main__':
    _bootstrap.run(main)
