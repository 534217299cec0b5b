# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading the image of a sample, with one kind of error for a missing and for a torn file."""

from typing import Any

from mmcv.transforms import BaseTransform

from sapiens_common.images import read_image
from sapiens_common.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Read ``img_path``, or take an image that the sample already holds.

    Required keys: ``img_path``, or ``img`` uint8 BGR (H, W, 3).
    Added keys: ``img`` uint8 BGR (H, W, 3), ``img_shape`` and ``ori_shape`` (height, width).
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read one image.

        Raises:
            ValueError: The file is missing or cannot be decoded.
        """
        if 'img' not in results:
            results['img'] = read_image(results['img_path'])
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results
