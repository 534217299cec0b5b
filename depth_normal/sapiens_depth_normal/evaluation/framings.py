# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What all metrics of dense maps share: one table per protocol, a row per framing, a trivial prediction beside it."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from prettytable import PrettyTable

ALL, MODEL = 'all', 'model'
# Statistics of one image, or figures of a set, by protocol and then by row (model or baseline).
Measured = dict[str, dict[str, Any]]


class Column(NamedTuple):
    """A figure in the tables: its key, its heading with unit, which way is better, its decimals."""

    key: str
    title: str
    better: str  # 'lower' or 'higher'
    digits: int


class FramingMetric(BaseMetric):
    """Base of the metrics: collects statistics per image and tabulates them per framing.

    A sample's ``framing`` (face, upper_body, full_body, ...) comes from its dataset; samples without one
    count among ``all`` only. Keys are ``<protocol>_<figure>`` for all images, ``<framing>/...`` for a
    framing, and ``<baseline>/...`` for the trivial prediction on all images. The tables stay in
    ``reports['<prefix>_framings']``.
    """

    titles: dict[str, str]  # heading of each protocol's table
    columns: tuple[Column, ...]
    baseline: str

    def gives(self, figure: str) -> bool:
        """Whether ``figure`` (a key without prefix) is among the results; which framings occur the data say."""
        columns = [column.key for column in self.columns]
        own = [f'{name}_{key}' if name else key for name in self.titles for key in columns]
        folder, _, key = figure.rpartition('/')
        return key in own and '/' not in folder

    @abstractmethod
    def measure(self, sample: dict) -> Measured:
        """Statistics of one image."""

    @abstractmethod
    def summarize(self, found: list[Any]) -> dict[str, float]:
        """Figures by column key, of the statistics of several images."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add a batch of the model's outputs, which carry predictions and labels."""
        for sample in data_samples:
            self.results.append((sample.get('framing'), self.measure(sample)))

    def compute_metrics(self, results: list[tuple[str | None, Measured]]) -> dict[str, float]:
        """Figures of all images and of each framing; logs the tables."""
        framings = sorted({framing for framing, _ in results if framing})
        metrics: dict[str, float] = {}
        table = []
        for protocol, title in self.titles.items():
            rows: list[list[Any]] = []
            for group in (ALL, *framings):
                chosen = [found for name, found in results if group in (ALL, name)]
                for row in (MODEL, self.baseline):
                    figures = self.summarize([found[protocol][row] for found in chosen])
                    cells = [f'{figures[column.key]:.{column.digits}f}' for column in self.columns]
                    rows.append([group, len(chosen), row.replace('_', ' '), *cells])
                    table.append(
                        {
                            'protocol': protocol or self.prefix,
                            'framing': group,
                            'images': len(chosen),
                            'prediction': row,
                            **figures,
                        }
                    )
                    folder = [part for part in (group, row) if part not in (ALL, MODEL)]
                    if len(folder) < 2:
                        for key, value in figures.items():
                            name = f'{protocol}_{key}' if protocol else key
                            metrics['/'.join([*folder, name])] = value
            self._log(title, rows)
        self.reports = {f'{self.prefix}_framings': table}
        return metrics

    def _log(self, title: str, rows: list[list[Any]]) -> None:
        """Write one table to the log; an arrow shows which way a figure gets better."""
        arrows = {'lower': '↓', 'higher': '↑'}
        header = [f'{column.title} {arrows[column.better]}' for column in self.columns]
        table = PrettyTable(['framing', 'images', 'prediction', *header])
        table.align = 'r'
        table.align['framing'] = table.align['prediction'] = 'l'
        table.add_rows(rows)
        MMLogger.get_current_instance().info(f'{title}\n{table.get_string()}')


def read_field(sample: dict, name: str) -> np.ndarray:
    """A map (C, H, W) of a sample as a NumPy array.

    Raises:
        ValueError: The sample has no such field.
    """
    if name not in sample:
        raise ValueError(
            f'{sample.get("img_path", "a sample")} has no {name}; the metric needs a model that '
            'predicts its target and a dataset that reads it'
        )
    return sample[name]['data'].cpu().numpy()


def read_mask(sample: dict, size: tuple[int, ...]) -> np.ndarray:
    """The person mask, bool (H, W).

    Raises:
        ValueError: No mask, an empty one, or one of another size than the prediction.
    """
    mask = read_field(sample, 'gt_mask')[0] > 0
    where = sample.get('img_path', 'a sample')
    if mask.shape != size:
        raise ValueError(
            f'{where}: the prediction is {size}, its mask {mask.shape} (height, width)'
        )
    if not mask.any():
        raise ValueError(f'{where}: the mask is empty, so there is nothing to judge')
    return mask
