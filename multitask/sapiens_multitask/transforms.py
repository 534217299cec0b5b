# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Packing for the multitask model: what pose, segmentation, depth and normals need, in one sample."""

from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData

from sapiens_depth_normal.transforms.packing import PackMaps
from sapiens_multitask.registry import TRANSFORMS

META_KEYS = ('img_path', 'ori_shape', 'img_shape', 'sample_id', 'framing', 'id', 'img_id')


@TRANSFORMS.register_module()
class PackMultitask(PackMaps):
    """As :class:`PackMaps`, with keypoints for a top-down pose head that sees the whole image as its box.

    Adds ``gt_instance_labels`` with float32 ``keypoints`` (1, K, 2), in pixels of the model's input, and
    ``keypoint_weights`` (1, K), if the sample has ``keypoints`` and ``keypoints_visible``; and always
    ``gt_instances`` with ``bboxes`` (1, 4) xyxy and ``bbox_scores`` (1,), which mmpose copies to its predictions.

    Args:
        meta_keys: What to carry along beside the tensors.
    """

    def __init__(self, meta_keys: tuple[str, ...] = META_KEYS) -> None:
        super().__init__(meta_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample."""
        packed = super().transform(results)
        sample = packed['data_samples']
        size = np.array(results['img'].shape[1::-1], np.float64)  # (w, h)
        original = np.array(results['ori_shape'][1::-1], np.float64)
        # mmpose maps points of the input back by scale and centre, without the half pixel by which the
        # first pixels' middles are moved when the image is resized; the centre takes it up.
        center = original / 2 + 0.5 * original / size - 0.5
        sample.set_metainfo(
            {'input_size': tuple(size), 'input_scale': original, 'input_center': center}
        )
        box = results.get('bbox', np.array([[0, 0, *original]], np.float32))
        sample.gt_instances = InstanceData(
            bboxes=box, bbox_scores=results.get('bbox_score', np.ones(len(box), np.float32))
        )
        if 'keypoints' in results and 'keypoints_visible' in results:
            sample.gt_instance_labels = InstanceData(
                keypoints=torch.from_numpy(np.float32(results['keypoints'])),
                keypoint_weights=torch.from_numpy(np.float32(results['keypoints_visible'])),
            )
        return packed
