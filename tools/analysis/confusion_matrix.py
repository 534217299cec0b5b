#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Which parts are taken for which: ``python tools/analysis/confusion_matrix.py CONFIG CHECKPOINT --out DIR``.

Runs the test set of a segmentation config. Writes ``confusion.csv`` (pixels, rows are the truth) and ``confusion.png``
(share of the truth's pixels), and prints the ten most frequent mistakes.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import _bootstrap
from _run_arguments import parse_run


def make_metric(classes: int) -> Any:
    """A metric that sums the confusion matrix over the test set."""
    import numpy as np
    from mmengine.evaluator import BaseMetric

    class Confusion(BaseMetric):
        default_prefix = 'confusion'
        total: np.ndarray

        def process(self, data_batch: Any, data_samples: Any) -> None:
            for sample in data_samples:
                truth = sample['gt_sem_seg']['data'].squeeze(0).cpu().numpy().astype(np.int64)
                found = sample['pred_sem_seg']['data'].squeeze(0).cpu().numpy().astype(np.int64)
                known = truth < classes
                pairs = truth[known] * classes + found[known]
                self.results.append(np.bincount(pairs, minlength=classes**2))

        def compute_metrics(self, results: list) -> dict[str, float]:
            self.total = np.sum(results, axis=0).reshape(classes, classes)
            return {'accuracy': float(np.trace(self.total) / max(1, self.total.sum()))}

    return Confusion()


def draw(shares: Any, names: list[str], out: Path) -> None:
    """Write the picture."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    side = 3 + 0.3 * len(names)
    figure, panel = pyplot.subplots(figsize=(side, side), layout='constrained')
    panel.imshow(shares, cmap='viridis', vmin=0, vmax=1)
    panel.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    panel.set_yticks(range(len(names)), names, fontsize=7)
    panel.set(xlabel='predicted', ylabel='truth')
    figure.savefig(out, dpi=120)
    pyplot.close(figure)


def main() -> None:
    """Evaluate and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', default='confusion', metavar='DIR')
    args, config = parse_run(parser)
    import numpy as np
    from runs import launch

    launch.set_checkpoint(config, args.checkpoint)
    runner = launch.build_runner(config)
    names = list(runner.test_loop.dataloader.dataset.metainfo.get('classes', ()))
    if not names:
        raise ValueError(f'{args.config} does not test classes of pixels')
    metric = make_metric(len(names))
    runner.test_loop.evaluator.metrics = [metric]
    metric.dataset_meta = runner.test_loop.dataloader.dataset.metainfo
    runner.test()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with (out / 'confusion.csv').open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file)
        writer.writerow(['truth', *names])
        writer.writerows(
            [name, *row] for name, row in zip(names, metric.total.tolist(), strict=True)
        )
    shares = metric.total / np.maximum(metric.total.sum(1, keepdims=True), 1)
    draw(shares, names, out / 'confusion.png')
    mistakes = shares - np.diag(np.diag(shares))
    print('truth -> predicted, share of the pixels of the truth:')
    for flat in np.argsort(-mistakes, axis=None)[:10]:
        truth, found = np.unravel_index(flat, mistakes.shape)
        if mistakes[truth, found] > 0:
            print(f'  {names[truth]} -> {names[found]}: {mistakes[truth, found]:.1%}')
    print(f'wrote {out}/confusion.csv and confusion.png')


if __name__ == '__main__':
    _bootstrap.run(main)
