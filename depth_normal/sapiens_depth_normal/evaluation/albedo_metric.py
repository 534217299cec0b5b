# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Errors of albedo on the person, pooled over all pixels of a set."""

from typing import Any

import cv2
import numpy as np

from sapiens_depth_normal.registry import METRICS

from .framings import MODEL, Column, FramingMetric, Measured, read_field, read_mask
from .pooled import Sums, mean_of, sums_of


@METRICS.register_module()
class HumanAlbedoMetric(FramingMetric):
    """MAE, RMSE, PSNR, SSIM and the error of differences between neighbours, over all human pixels of a set.

    The trivial prediction is the mean true colour of each image's person everywhere.
    Needs ``pred_albedo_map``, ``gt_albedo_map`` (3, H, W), sRGB in 0..``maximum``, and ``gt_mask``, at one size.

    SSIM (Wang et al., "Image Quality Assessment", TIP 2004) has Gaussian windows of 11 pixels, whose moments
    are of the masked pixels alone; windows of which at most half is masked do not count.

    Args:
        maximum: Value of white.
        collect_device: Where ranks exchange results.
        prefix: What the keys start with.
    """

    default_prefix = 'albedo'
    baseline = 'mean_colour'
    titles = {'': 'Albedo'}
    columns = (
        Column('mae', 'MAE', 'lower', 4),
        Column('rmse', 'RMSE', 'lower', 4),
        Column('psnr', 'PSNR [dB]', 'higher', 2),
        Column('ssim', 'SSIM', 'higher', 4),
        Column('grad_l1', 'gradient', 'lower', 4),
    )

    def __init__(
        self, maximum: float = 1.0, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device, prefix)
        self.maximum = maximum

    def measure(self, sample: dict) -> Measured:
        """Errors of one image.

        Raises:
            ValueError: A map is missing, empty, of another size, or not finite.
        """
        pred = read_field(sample, 'pred_albedo_map').astype(np.float64)
        mask = read_mask(sample, pred.shape[1:])
        truth = np.where(mask, read_field(sample, 'gt_albedo_map'), 0).astype(np.float64)
        if not (np.isfinite(pred).all() and np.isfinite(truth).all()):
            where = sample.get('img_path', 'a sample')
            raise ValueError(f'{where}: pred or truth is not finite on the mask; has it diverged?')
        constant = np.broadcast_to(truth[:, mask].mean(1)[:, None, None], truth.shape)
        return {
            '': {
                MODEL: self._errors(pred, truth, mask),
                self.baseline: self._errors(constant, truth, mask),
            }
        }

    def _errors(self, pred: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> Sums:
        """Sums over the pixels of one image (3, H, W)."""
        difference = (pred - truth)[:, mask]
        slopes = []
        for axis in (0, 1):
            both = np.take(mask, range(1, mask.shape[axis]), axis) & np.take(
                mask, range(mask.shape[axis] - 1), axis
            )
            slope = np.diff(pred, axis=axis + 1) - np.diff(truth, axis=axis + 1)
            slopes.append(np.abs(slope[:, both]).ravel())
        return {
            'absolute': sums_of(np.abs(difference)),
            'square': sums_of(np.square(difference)),
            'slope': sums_of(np.concatenate(slopes)),
            'ssim': sums_of(structural_similarity(pred, truth, mask, self.maximum)),
        }

    def summarize(self, found: list[Any]) -> dict[str, float]:
        """Figures over the pixels of several images."""
        square = mean_of(found, 'square')
        return {
            'mae': mean_of(found, 'absolute'),
            'rmse': float(np.sqrt(square)),
            'psnr': float(10 * np.log10(self.maximum**2 / square)) if square else float('inf'),
            'ssim': mean_of(found, 'ssim'),
            'grad_l1': mean_of(found, 'slope'),
        }


def structural_similarity(
    first: np.ndarray, second: np.ndarray, mask: np.ndarray, maximum: float
) -> np.ndarray:
    """SSIM of the windows of which more than half is masked, per channel.

    Args:
        first: (3, H, W).
        second: (3, H, W).
        mask: Bool (H, W).
        maximum: Value of white.

    Returns:
        (3, N), a value per channel and window.
    """
    weight = mask.astype(np.float64)
    share = _window(weight)
    chosen = share > 0.5
    share = share[chosen]

    def moment(values: np.ndarray) -> np.ndarray:
        return np.stack([_window(plane * weight)[chosen] / share for plane in values])

    means = moment(first), moment(second)
    variances = [
        moment(plane**2) - mean**2 for plane, mean in zip((first, second), means, strict=True)
    ]
    covariance = moment(first * second) - means[0] * means[1]
    c1, c2 = (0.01 * maximum) ** 2, (0.03 * maximum) ** 2
    luminance = (2 * means[0] * means[1] + c1) / (means[0] ** 2 + means[1] ** 2 + c1)
    return luminance * (2 * covariance + c2) / (variances[0] + variances[1] + c2)


def _window(plane: np.ndarray) -> np.ndarray:
    """Gaussian mean of a window of 11 pixels, zeros outside."""
    return cv2.GaussianBlur(plane, (11, 11), 1.5, borderType=cv2.BORDER_CONSTANT)
