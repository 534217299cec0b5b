# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Errors of mattes: of alpha, over whole pictures and the unknown region of their trimaps; of the foreground."""

from typing import Any

import cv2
import numpy as np

from sapiens_depth_normal.registry import METRICS

from .framings import MODEL, Column, FramingMetric, Measured, read_field
from .matting_errors import alpha_errors, summarize_errors
from .pooled import mean_of, sums_of

UNKNOWN = 128  # in trimaps


@METRICS.register_module()
class AlphaMatteMetric(FramingMetric):
    """SAD, MSE, MAD, gradient and connectivity error, averaged over the images.

    Two protocols, each with a table: ``whole`` pictures, and the ``unknown`` region of the trimap. Samples
    without a trimap get one: what is partly transparent, and ``radius`` pixels around it. An image whose
    alpha is hard and has no trimap does not count in ``unknown``.
    The trivial prediction is the mean true alpha of each image everywhere.

    Needs ``pred_matting_map`` (4, H, W), alpha last, and ``gt_alpha_map``, in [0, 1] and at one size; reads
    ``gt_trimap`` if there is one.

    Args:
        radius: Pixels around partly transparent ones that count as unknown without a trimap.
        collect_device: Where ranks exchange results.
        prefix: What the keys start with.
    """

    default_prefix = 'matting'
    baseline = 'mean_alpha'
    titles = {'whole': 'Alpha, whole pictures', 'unknown': 'Alpha, unknown region'}
    columns = (
        Column('sad', 'SAD [1000]', 'lower', 3),
        Column('mse', 'MSE', 'lower', 5),
        Column('mad', 'MAD', 'lower', 5),
        Column('gradient', 'gradient [1000]', 'lower', 3),
        Column('connectivity', 'connectivity [1000]', 'lower', 3),
    )

    def __init__(
        self, radius: int = 10, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device, prefix)
        self.radius = radius

    def measure(self, sample: dict) -> Measured:
        """Errors of one image under both protocols.

        Raises:
            ValueError: A map is missing, of another size, or not within [0, 1].
        """
        pred = read_field(sample, 'pred_matting_map')[-1]
        truth = read_field(sample, 'gt_alpha_map')[0]
        where = sample.get('img_path', 'a sample')
        if pred.shape != truth.shape:
            raise ValueError(
                f'{where}: the prediction is {pred.shape}, its alpha {truth.shape} (height, width)'
            )
        for name, alpha in (('predicted', pred), ('true', truth)):
            if not (alpha.min() >= 0 and alpha.max() <= 1):  # NaN fails too
                raise ValueError(
                    f'{where}: {name} alpha must lie in [0, 1], found {alpha.min()} to {alpha.max()}'
                )
        errors = {
            MODEL: alpha_errors(pred, truth),
            self.baseline: alpha_errors(np.full_like(truth, truth.mean()), truth),
        }
        regions = {'whole': np.ones(truth.shape, bool), 'unknown': self._unknown(sample, truth)}
        return {
            protocol: {
                row: summarize_errors(found, region) if region.any() else None
                for row, found in errors.items()
            }
            for protocol, region in regions.items()
        }

    def _unknown(self, sample: dict, truth: np.ndarray) -> np.ndarray:
        """The unknown region, bool (H, W)."""
        if 'gt_trimap' in sample:
            return read_field(sample, 'gt_trimap')[0] == UNKNOWN
        soft = ((truth > 0) & (truth < 1)).astype(np.uint8)
        side = 2 * self.radius + 1
        return cv2.dilate(soft, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))) > 0

    def summarize(self, found: list[Any]) -> dict[str, float]:
        """Means over the images that have the region."""
        counted = [errors for errors in found if errors is not None]
        return {
            column.key: float(np.mean([errors[column.key] for errors in counted]))
            if counted
            else float('nan')
            for column in self.columns
        }


@METRICS.register_module()
class MattingForegroundMetric(FramingMetric):
    """Mean absolute error of the foreground's colours, multiplied by alpha, over the pixels of a set.

    Only pixels whose foreground is known count: true alpha 0 or 1.
    The trivial prediction is the mean true colour of each image everywhere.

    Needs ``pred_matting_map`` and ``gt_matting_map`` (4, H, W), red, green, blue, alpha in [0, 1], at one size.
    """

    default_prefix = 'matting'
    baseline = 'mean_foreground'
    titles = {'': 'Foreground'}
    columns = (Column('l1_foreground', 'MAE', 'lower', 5),)

    def measure(self, sample: dict) -> Measured:
        """Absolute errors of one image.

        Raises:
            ValueError: A map is missing or of another size, or no pixel's foreground is known.
        """
        pred = read_field(sample, 'pred_matting_map')[:3].astype(np.float64)
        matte = read_field(sample, 'gt_matting_map')
        known = (matte[3] == 0) | (matte[3] == 1)
        truth = matte[:3, known].astype(np.float64)
        constant = truth.mean(axis=1, keepdims=True)
        return {
            '': {
                MODEL: {'absolute': sums_of(np.abs(pred[:, known] - truth))},
                self.baseline: {'absolute': sums_of(np.abs(constant - truth))},
            }
        }

    def summarize(self, found: list[Any]) -> dict[str, float]:
        """Mean over the known pixels of several images."""
        return {'l1_foreground': mean_of(found, 'absolute')}
