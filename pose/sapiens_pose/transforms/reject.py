# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Training samples that the recipe does not use."""

from typing import Any

import torch
from mmcv.transforms import BaseTransform

from sapiens_pose.registry import KEYPOINT_CODECS, TRANSFORMS


@TRANSFORMS.register_module()
class RejectFewKeypoints(BaseTransform):
    """Replace a sample by another random one when too few labelled keypoints are left in the crop.

    Needs ``transformed_keypoints`` (1, K, 2) and ``keypoints_visible``, so it follows ``DecodeTopdownAffine``.

    Args:
        codec: The codec of the head; a point counts while its Gaussian touches the heatmap.
        min_visible: Points needed. None is the reference's rule: 8 for layouts with hands and face
            (more than 17 points), else 4; of a layout with fewer than 8 points, half.
        min_body: Points needed of the first 21, body and feet, where the layout is that of 308. Sapiens2 wants 6.
    """

    def __init__(self, codec: dict, min_visible: int | None = None, min_body: int = 0) -> None:
        self.codec = KEYPOINT_CODECS.build(codec)
        self.min_visible = min_visible
        self.min_body = min_body

    def transform(self, results: dict) -> dict | None:
        """The sample, or None, for which the dataset fetches another."""
        keypoints = torch.from_numpy(results['transformed_keypoints'])
        visible = torch.as_tensor(visibility(results), dtype=torch.float32)
        count, needed = keypoints.shape[1], self.min_visible
        if needed is None:
            needed = min(8 if count > 17 else 4, count // 2)
        counted = self.codec.keypoint_weights(keypoints, visible)[0] > 0
        enough_body = count != 308 or counted[:21].sum() >= self.min_body
        return results if counted.sum() >= needed and enough_body else None


def visibility(results: dict) -> Any:
    """Visibility (1, K) of a sample; mmpose's converter appends an axis with loss weights."""
    visible = results['keypoints_visible']
    return visible[..., 0] if visible.ndim == 3 else visible
