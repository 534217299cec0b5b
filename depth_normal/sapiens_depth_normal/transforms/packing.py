# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From arrays to what the model takes: the relative depth target, and tensors."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from sapiens_depth_normal.registry import TRANSFORMS


@TRANSFORMS.register_module()
class NormalizeDepth(BaseTransform):
    """Make depth relative: the person in this crop spans [0, 1], 0 nearest, 1 farthest.

    A crop without a person, or with all of it at one depth, becomes 0 everywhere: nothing to learn.

    Required keys: ``gt_depth_map`` (H, W), ``mask`` (H, W). Modified: ``gt_depth_map``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Normalise one depth map."""
        depth, mask = results['gt_depth_map'], results['mask'] > 0
        relative = np.zeros_like(depth)
        values = depth[mask]
        if values.size and values.max() > values.min():
            relative[mask] = (values - values.min()) / (values.max() - values.min())
        results['gt_depth_map'] = relative
        return results


@TRANSFORMS.register_module()
class PackMaps(BaseTransform):
    """Pack an image and whatever maps a sample has for the model.

    Result: ``inputs`` uint8 (3, H, W) BGR and ``data_samples`` with the fields ``gt_mask`` uint8 (1, H, W),
    ``gt_depth_map`` and ``gt_alpha_map`` float32 (1, H, W), ``gt_normal_map`` and ``gt_albedo_map`` float32 (3, H, W),
    ``gt_matting_map`` float32 (4, H, W), ``gt_trimap`` uint8 and ``gt_sem_seg`` int64 (1, H, W), each if the sample has
    it, at its own size.

    Args:
        meta_keys: What to carry along beside the tensors.
    """

    def __init__(
        self,
        meta_keys: tuple[str, ...] = (
            'img_path',
            'ori_shape',
            'img_shape',
            'padding_size',
            'sample_id',
            'framing',
            'intrinsics',
            'input_intrinsics',
        ),
    ) -> None:
        self.meta_keys = meta_keys

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample."""
        sample = SegDataSample(
            metainfo={key: results[key] for key in self.meta_keys if key in results}
        )
        for key, field in (
            ('mask', 'gt_mask'),
            ('gt_depth_map', 'gt_depth_map'),
            ('gt_normal_map', 'gt_normal_map'),
            ('gt_albedo_map', 'gt_albedo_map'),
            ('gt_alpha_map', 'gt_alpha_map'),
            ('gt_matting_map', 'gt_matting_map'),
            ('trimap', 'gt_trimap'),
            ('gt_seg_map', 'gt_sem_seg'),
        ):
            if key in results:
                values = torch.from_numpy(np.ascontiguousarray(_channels_first(results[key])))
                values = values.long() if field == 'gt_sem_seg' else values
                sample.set_data({field: PixelData(data=values)})
        image = np.ascontiguousarray(_channels_first(results['img']))
        return {'inputs': torch.from_numpy(image), 'data_samples': sample}


def _channels_first(values: np.ndarray) -> np.ndarray:
    """(H, W[, C]) to (C, H, W)."""
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
