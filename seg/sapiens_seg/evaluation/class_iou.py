# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Upstream's IoU with its table kept."""

from typing import Any

from mmseg.evaluation import IoUMetric

from sapiens_seg.registry import METRICS


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """mmseg's ``IoUMetric`` that keeps the figures of every class, which upstream logs only.

    Arguments and returned metrics are upstream's. After ``evaluate``, ``reports['classes']`` has a row per
    class: ``class``, ``pixels`` (of the truth), ``predicted_pixels`` and percentages as asked for
    (``IoU``, ``Acc``, ``Fscore``, ...); None for a class that does not occur.

    Args:
        **kwargs: As mmseg's ``IoUMetric``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reports: dict[str, list[dict[str, Any]]] = {}

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Upstream's metrics; the table per class is kept."""
        if not self.format_only:
            areas = [sum(parts) for parts in zip(*results, strict=True)]
            figures = self.total_area_to_metrics(*areas, self.metrics, self.nan_to_num, self.beta)
            _, _, predicted, truth = areas
            self.reports['classes'] = [
                {
                    'class': name,
                    'pixels': int(truth[index]),
                    'predicted_pixels': int(predicted[index]),
                }
                | {key: _percent(found[index]) for key, found in figures.items() if key != 'aAcc'}
                for index, name in enumerate(self.dataset_meta['classes'])
            ]
        return super().compute_metrics(results)


def _percent(share: float) -> float | None:
    return round(100 * float(share), 2) if share == share else None  # NaN: no such pixel
