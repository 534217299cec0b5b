# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading the image of a sample."""

from mmpose.datasets.transforms import LoadImage as MMPoseLoadImage

from sapiens_common.images import read_image
from sapiens_pose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImage(MMPoseLoadImage):
    """mmpose's loader, with one kind of error for a missing and for a broken file.

    Takes ``img_path``, or an image already in ``img``; adds ``img`` (BGR uint8), ``img_shape``, ``ori_shape``.

    Raises:
        ValueError: The file is missing or cannot be decoded.
    """

    def transform(self, results: dict) -> dict:
        """Add the image."""
        if 'img' not in results:
            results['img'] = read_image(results['img_path'])
        return super().transform(results)
