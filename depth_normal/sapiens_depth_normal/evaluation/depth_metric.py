# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Depth errors on the person, under three ways to bring relative depth to the truth's unit."""

from typing import Any

import numpy as np

from sapiens_depth_normal.geometry import align_depth
from sapiens_depth_normal.registry import METRICS

from .framings import MODEL, Column, FramingMetric, Measured, read_field, read_mask

NEAREST = 1e-6  # predictions at or behind the camera count as this close to it


@METRICS.register_module()
class HumanDepthMetric(FramingMetric):
    """RMSE, AbsRel and delta shares on human pixels, averaged over the images.

    Three protocols, each with a table:
    ``aligned``: scale and shift fitted to the truth per image by least squares (the paper's);
    ``unaligned``: nothing fitted; the relative depth in [0, 1] spans the person's true nearest to
    farthest depth, which is what the network is trained to give;
    ``inverse``: scale and shift fitted to one over the truth.
    The trivial prediction is the mean true depth of each image's person everywhere: the best a
    constant can do.

    Needs ``pred_depth_map``, ``gt_depth_map`` in its original unit and ``gt_mask``, all at one size.

    Args:
        unit: Name of the truth's unit, for the tables.
        relative: Whether predictions are relative; false leaves them as they are under ``unaligned``.
        collect_device: Where ranks exchange results.
        prefix: What the keys start with.
    """

    default_prefix = 'depth'
    baseline = 'mean_depth'

    def __init__(
        self,
        unit: str = 'm',
        relative: bool = True,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self.relative = relative
        how = "spanning the truth's range" if relative else 'as predicted'
        self.titles = {
            'aligned': 'Depth, scale and shift fitted per image',
            'unaligned': f'Depth, nothing fitted, {how}',
            'inverse': 'Depth, scale and shift fitted to inverse depth per image',
        }
        self.columns = (
            Column('rmse', f'RMSE [{unit}]', 'lower', 4),
            Column('abs_rel', 'AbsRel', 'lower', 4),
            Column('delta1', 'd < 1.25', 'higher', 4),
            Column('delta2', 'd < 1.25^2', 'higher', 4),
            Column('delta3', 'd < 1.25^3', 'higher', 4),
        )

    def measure(self, sample: dict) -> Measured:
        """Errors of one image under every protocol.

        Raises:
            ValueError: A map is missing, empty, of another size, or not finite; the true depth is not
                positive.
        """
        pred = read_field(sample, 'pred_depth_map')[0]
        truth = read_field(sample, 'gt_depth_map')[0]
        mask = read_mask(sample, pred.shape)
        target = truth[mask].astype(np.float64)
        where = sample.get('img_path', 'a sample')
        if target.min() <= 0:
            raise ValueError(
                f'{where}: true depth must be positive on the person, '
                f'got {target.min()}; evaluate on depth in its unit, not on the normalised target'
            )
        span = target.max() - target.min() if self.relative else 1.0
        base = target.min() if self.relative else 0.0
        constant = depth_errors(np.full_like(target, target.mean()), target)
        try:
            aligned, inverse = (
                align_depth(pred, truth, mask, space).depth[mask] for space in ('depth', 'inverse')
            )
        except ValueError as error:
            raise ValueError(f'{where}: {error}') from error
        return {
            protocol: {MODEL: depth_errors(depth, target), self.baseline: constant}
            for protocol, depth in (
                ('aligned', aligned),
                ('unaligned', base + span * pred[mask]),
                ('inverse', inverse),
            )
        }

    def summarize(self, found: list[Any]) -> dict[str, float]:
        """Means over the images."""
        return {
            column.key: float(np.mean([errors[column.key] for errors in found]))
            for column in self.columns
        }


def depth_errors(pred: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Errors of depths (N,) in the unit of the truth (N,), which is positive.

    Returns:
        ``rmse`` in that unit, ``abs_rel`` (mean of error over truth), and ``delta1`` to ``delta3``: shares of
        pixels whose ratio to the truth, or its inverse, is below 1.25, 1.25**2 and 1.25**3.
    """
    pred = pred.astype(np.float64)
    ratio = np.maximum(pred, NEAREST) / truth
    ratio = np.maximum(ratio, 1 / ratio)
    return {
        'rmse': float(np.sqrt(np.mean((pred - truth) ** 2))),
        'abs_rel': float(np.mean(np.abs(pred - truth) / truth)),
        **{f'delta{power}': float(np.mean(ratio < 1.25**power)) for power in (1, 2, 3)},
    }
