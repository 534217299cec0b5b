# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Resize an image to the network's input without keeping its aspect, as Sapiens2 does."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from sapiens_common.registry import TRANSFORMS


def stretch(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an image (H, W, C) to (height, width): by areas where it gets narrower, else by cubics."""
    shrinks = size[1] < image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(image, size[::-1], interpolation=interpolation)


@TRANSFORMS.register_module()
class Stretch(BaseTransform):
    """Stretch an image, and in training its labels, to the network's input.

    Modified keys: ``img``, ``img_shape`` (height, width); with ``targets`` also ``gt_seg_map``, by its nearest pixel,
    and ``gt_alpha_map``, linearly.

    Args:
        size: (height, width) of the network's input.
        targets: Whether labels are stretched, too; in evaluation they stay at their own size.
    """

    def __init__(self, size: tuple[int, int], targets: bool = False) -> None:
        height, width = size
        self.size = (height, width)
        self.targets = targets

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Stretch one sample."""
        results['img'] = stretch(results['img'], self.size)
        results['img_shape'] = self.size
        for key, how in (('gt_seg_map', cv2.INTER_NEAREST), ('gt_alpha_map', cv2.INTER_LINEAR)):
            if self.targets and key in results:
                results[key] = cv2.resize(results[key], self.size[::-1], interpolation=how)
        return results
