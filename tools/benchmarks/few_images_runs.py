# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Runs of the study of few images: a recipe, a strategy, a subset of the images; and what they gave."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.few_images_data import CLASSES, POINTS, subset, write
from benchmarks.studies import Table, train
from data_checks.own_layout import make_metainfo, write_metainfo
from mmengine.config import Config
from runs import launch

from sapiens_common.weights import config_root

BASE = 'sapiens_tiny/multitask_synthetic'
WEIGHTS = (0.3, 1.0, 2.0, 1.0, 1.0, 3.0)  # of the classes, in the loss
METRICS = {'points': 'PCK', 'classes': 'mIoU'}


class Study:
    """The runs, their table and their plot.

    Args:
        renders: Folder of the images.
        out: Folder of the results; labels are in its ``data/``.
        steps: Of every run.
        batch_size: Of every run.
    """

    def __init__(self, renders: Path, out: Path, steps: int, batch_size: int) -> None:
        self.renders, self.out = renders, out.resolve()
        self.steps, self.batch_size = steps, batch_size
        keys = ('part', 'task', 'way', 'images', 'rate', 'seed')
        self.table = Table(out / 'few_images.csv', keys)
        self.people = json.loads((out / 'data/train.json').read_text(encoding='utf-8'))
        self.layout = self.out / 'data/limbs.py'
        if not self.layout.is_file():
            info = make_metainfo(self.people['categories'][0], 'limbs')
            write_metainfo(info, self.layout, 'train.json')

    def run(self, **key: Any) -> float:
        """The metric of one run, of the arguments of :meth:`measure`."""
        return float(self.table.fill(self.measure, **key)['value'])

    def measure(
        self, part: str, task: str, way: str, images: int, rate: float, seed: int
    ) -> dict[str, Any]:
        """Train on a subset of the images that the seed draws.

        Args:
            part: Held-out people to evaluate on, ``choose`` or ``figures``.
            task: ``points`` or ``classes``.
            way: How the model is tuned, see :func:`tune`.
            images: Their number.
            rate: Factor of the encoder's learning rate.
            seed: Seed of the subset and of the run.

        Raises:
            ValueError: There are fewer images.
        """
        order = np.random.default_rng(seed).permutation(len(self.people['images']))
        if images > len(order):
            raise ValueError(f'{self.renders} has {len(order)} people to train on, not {images}')
        chosen = self.out / f'data/train_{images}_{seed}'
        write(subset(self.people, [self.people['images'][i] for i in order[:images]]), chosen)
        config = getattr(self, f'_{task}')(chosen, self.out / f'data/{part}')
        tune(config, way, rate)
        config.train_dataloader.batch_size = self.batch_size
        folder = self.out / f'runs/{part}_{task}_{way}_{images}_{rate}_{seed}'
        return train(config, folder, self.steps, seed, METRICS[task])

    def _points(self, chosen: Path, held_out: Path) -> Config:
        """The recipe of 308 keypoints at 128 x 96, for other points."""
        config = launch.load_config('pose/sapiens_tiny_synthetic.py', None, 'none', None)
        config.model.head.out_channels = len(POINTS)
        config.model.test_cfg.flip_test = False
        splits = ((config.train_dataloader, chosen), (config.val_dataloader, held_out))
        for loader, path in splits:
            loader.dataset.update(
                type='sapiens_pose.CheckedCocoDataset',
                metainfo=dict(from_file=str(self.layout)),
                data_root=str(self.renders),
                ann_file=f'{path}.json',
            )
        config.val_evaluator = dict(type='mmpose.PCKAccuracy', thr=0.05, norm_item='bbox')
        config.optim_wrapper.constructor = 'DefaultOptimWrapperConstructor'
        return config

    def _classes(self, chosen: Path, held_out: Path) -> Config:
        """The recipe of 28 parts at 128 x 96, for other classes."""
        config = launch.load_config('seg/sapiens_tiny_synthetic.py', None, 'none', None)
        config.model.decode_head.num_classes = len(CLASSES)
        config.model.decode_head.loss_decode = [
            dict(
                type='sapiens_seg.WeightedCrossEntropy',
                vocabulary=list(CLASSES),
                weights=list(WEIGHTS),
                average='weights',
            )
        ]
        splits = ((config.train_dataloader, chosen), (config.val_dataloader, held_out))
        for loader, path in splits:
            loader.dataset.update(
                vocabulary=list(CLASSES),
                data_root=str(self.renders),
                data_prefix=dict(img_path='images', seg_map_path=f'{self.out}/data/segmentations'),
                ann_file=f'{path}.txt',
            )
        return config

    def report(
        self, tasks: dict[str, str], labels: dict[str, str], rates: dict[str, float]
    ) -> None:
        """Print the table, and draw it with the standard deviation over seeds as error bars.

        Args:
            tasks: Name of the metric of each task.
            labels: Name of each way.
            rates: The encoder's rate of each way; runs with others are not counted.
        """
        import matplotlib

        matplotlib.use('Agg')
        from matplotlib import pyplot

        figure, panels = pyplot.subplots(1, len(tasks), figsize=(10, 4), layout='constrained')
        rows = [row for row in self.table.rows if row['part'] == 'figures']
        counts = sorted({int(row['images']) for row in rows})
        for panel, (task, metric) in zip(np.ravel(panels), tasks.items(), strict=True):
            print(f'\n| {metric} | ' + ' | '.join(f'{count} images' for count in counts) + ' |')
            print('|---' * (len(counts) + 1) + '|')
            for number, (way, label) in enumerate(labels.items()):
                if way not in rates:
                    continue
                key = {'part': 'figures', 'task': task, 'way': way, 'rate': rates[way]}
                if not all(len(self.table.values(**key, images=count)) for count in counts):
                    continue
                scale = 100 if task == 'points' else 1
                found = [self.table.spread(**key, images=count) for count in counts]
                mean, spread = scale * np.transpose(found)
                cells = [f'{m:.1f} ± {s:.1f}' for m, s in zip(mean, spread, strict=True)]
                print(f'| {label} | ' + ' | '.join(cells) + ' |')
                # A little apart, so that bars do not hide each other.
                places = np.array(counts) * 1.03 ** (number - len(labels) / 2)
                style = '--' if way == 'scratch' else '-'
                panel.errorbar(places, mean, spread, label=label, capsize=3, marker='o', ls=style)
            panel.set(xscale='log', xlabel='labelled images', ylabel=metric)
            panel.set_xticks(counts, [str(count) for count in counts])
            panel.minorticks_off()
            panel.grid(alpha=0.3)
        np.ravel(panels)[0].legend()
        path = self.out / 'few_images.png'
        figure.savefig(path, dpi=110)
        pyplot.close(figure)
        print(f'\n{path}')


def tune(config: Config, way: str, rate: float) -> None:
    """Let a recipe start from the base and train what a way trains, the encoder at ``rate`` times its rate.

    A way is ``scratch``, ``full``, or a strategy; ``lora.attn`` is LoRA of the attention alone.
    """
    backbone = config.model.backbone
    backbone.type = 'sapiens_pretrain.ConvStemViT'
    if way != 'scratch':
        backbone.init_cfg = dict(type='Pretrained', checkpoint=BASE)
    name, _, target = way.partition('.')
    strategy = config_root() / f'_base_/strategies/{name}.py'
    if strategy.is_file():
        backbone.tuning = Config.fromfile(strategy).tuning
        if target:
            backbone.tuning.targets = (target,)
    head = config.optim_wrapper.get('paramwise_cfg', {}).get('custom_keys', {})
    keys = {**head, 'backbone': {'lr_mult': rate}}
    config.optim_wrapper.paramwise_cfg = {'custom_keys': keys}
