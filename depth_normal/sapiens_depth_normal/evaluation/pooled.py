# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sums over the pixels of images, which add up to the figures of a set."""

from collections.abc import Iterable, Mapping

import numpy as np

Sums = Mapping[str, tuple[float, float]]
"""Sum and count by name."""


def mean_of(found: Iterable[Sums], name: str) -> float:
    """Mean over the pixels of several images; NaN where none counted."""
    total, count = np.sum([sums[name] for sums in found], axis=0)
    return float(total / count) if count else float('nan')


def sums_of(values: np.ndarray) -> tuple[float, float]:
    """Sum and count of one image's values."""
    return float(values.sum(dtype=np.float64)), float(values.size)
