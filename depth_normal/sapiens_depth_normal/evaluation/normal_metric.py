# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Angular errors of normals on the person, pooled over all pixels of a set."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sapiens_depth_normal.registry import METRICS

from .framings import MODEL, Column, FramingMetric, Measured, read_field, read_mask

THRESHOLDS = (5.0, 7.5, 11.25, 22.5, 30.0)  # degrees; those of the paper and the two below
BIN = 0.05  # degrees; resolution of the median over a set, whose pixels are too many to keep


@dataclass(frozen=True)  # mmengine turns named tuples into plain ones on the way between ranks
class AngleStatistics:
    """Angular errors of one image."""

    count: int
    total: float  # degrees
    squares: float  # degrees squared
    within: np.ndarray  # pixels per threshold
    histogram: np.ndarray  # pixels per bin


@METRICS.register_module()
class HumanNormalMetric(FramingMetric):
    """Mean, median and RMS angular error and shares within thresholds, over all human pixels of a set.

    The trivial prediction is the normal that faces the camera, (0, 0, 1), everywhere. Sapiens2's figures are
    the same with percent instead of shares and a median of 0.5 degrees' resolution.

    Needs ``pred_normal_map``, ``gt_normal_map`` and ``gt_mask``, all at one size.

    Args:
        bin_width: Degrees; the median is the middle of a bin of this width.
        collect_device: Where ranks exchange results.
        prefix: What the keys start with.
    """

    default_prefix = 'normal'
    baseline = 'camera_facing'
    titles = {'': 'Normals, angular error'}
    columns = (
        Column('mean', 'mean [deg]', 'lower', 2),
        Column('median', 'median [deg]', 'lower', 2),
        Column('rmse', 'RMS [deg]', 'lower', 2),
        *(Column(f'within_{angle:g}', f'< {angle:g} deg', 'higher', 4) for angle in THRESHOLDS),
    )

    def __init__(
        self, bin_width: float = BIN, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device, prefix)
        self.bin_width = bin_width

    def measure(self, sample: dict) -> Measured:
        """Angular errors of one image.

        Raises:
            ValueError: A map is missing, empty, of another size, or not finite.
        """
        pred = read_field(sample, 'pred_normal_map')
        truth = read_field(sample, 'gt_normal_map')
        mask = read_mask(sample, pred.shape[1:])
        target = truth[:, mask].T
        if not (np.isfinite(pred[:, mask]).all() and np.isfinite(target).all()):
            where = sample.get('img_path', 'a sample')
            raise ValueError(f'{where}: pred or truth is not finite on the mask; has it diverged?')
        facing = np.broadcast_to(np.array([0, 0, 1], np.float32), target.shape)
        return {
            '': {
                row: statistics(angles_between(vectors, target), self.bin_width)
                for row, vectors in ((MODEL, pred[:, mask].T), (self.baseline, facing))
            }
        }

    def summarize(self, found: list[Any]) -> dict[str, float]:
        """Figures over the pixels of several images."""
        count = sum(image.count for image in found)
        below = np.cumsum(sum(image.histogram for image in found))
        middle = int(np.searchsorted(below, count / 2))
        within = sum(image.within for image in found) / count
        return {
            'mean': sum(image.total for image in found) / count,
            'median': (middle + 0.5) * self.bin_width,
            'rmse': float(np.sqrt(sum(image.squares for image in found) / count)),
            **{
                f'within_{angle:g}': float(share)
                for angle, share in zip(THRESHOLDS, within, strict=True)
            },
        }


def angles_between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angles in degrees between vectors (N, 3) of any length; precise near 0 and 180 too.

    A vector of length zero has no direction: it is 90 degrees away from every other, as by its cosine.
    """
    first, second = first.astype(np.float64), second.astype(np.float64)
    cross = np.linalg.norm(np.cross(first, second), axis=1)
    dot = (first * second).sum(1)
    return np.where((cross == 0) & (dot == 0), 90.0, np.degrees(np.arctan2(cross, dot)))


def statistics(angles: np.ndarray, bin_width: float = BIN) -> AngleStatistics:
    """Statistics of angles (N,) in degrees."""
    bins = np.minimum(angles / bin_width, 180 / bin_width - 1).astype(int)
    return AngleStatistics(
        count=len(angles),
        total=float(angles.sum()),
        squares=float(np.square(angles).sum()),
        within=np.array([np.count_nonzero(angles < limit) for limit in THRESHOLDS]),
        histogram=np.bincount(bins, minlength=round(180 / bin_width)).astype(np.int32),
    )
