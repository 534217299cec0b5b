# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Pixel augmentation by albumentations, reproducible."""

import warnings

import numpy as np
from mmpose.datasets.transforms import Albumentation as MMPoseAlbumentation

from sapiens_pose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SeededAlbumentation(MMPoseAlbumentation):
    """mmpose's wrapper, drawing from NumPy's global state as all other transforms do.

    Since 1.4.19 albumentations keeps generators of its own: they ignore the run's seed, and forked
    loader workers inherit equal ones, so that all workers draw the same numbers. Each transform gets
    its own seed: with the one seed that ``Compose.set_random_seed`` would hand to all, independent
    transforms fire together.

    Args:
        transforms: Configs of albumentations' pixel transforms.
        keymap: As upstream's.
    """

    def __init__(self, transforms: list[dict], keymap: dict | None = None) -> None:
        with warnings.catch_warnings():
            # Upstream takes blurs and holes for transforms that move pixels; and albumentations 1.4 has
            # shares of the image side under its deprecated names only.
            warnings.simplefilter('ignore')
            super().__init__(transforms, keymap)

    def transform(self, results: dict) -> dict:
        """Augment ``img``."""
        for transform in self.aug.transforms:
            transform.set_random_seed(int(np.random.randint(2**31)))
        return super().transform(results)
