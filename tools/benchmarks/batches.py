# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Made-up training batches of every task, as the loaders give them: uint8 images and targets."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.structures import PoseDataSample
from mmseg.structures import SegDataSample

from .people import NUM_KEYPOINTS, keypoints

Batch = dict[str, Any]
Size = tuple[int, int]


def _images(batch: int, size: Size) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (3, *size)
    return [torch.randint(256, shape, dtype=torch.uint8, generator=generator) for _ in range(batch)]


def pose_batch(batch: int, size: Size) -> Batch:
    """People with 308 keypoints; ``size`` is (height, width)."""
    points, visible = keypoints(batch, NUM_KEYPOINTS, size[::-1])
    samples = []
    for person in range(batch):
        labels = InstanceData(
            keypoints=torch.from_numpy(points[person : person + 1]),
            keypoint_weights=torch.from_numpy(visible[person : person + 1]),
        )
        sample = PoseDataSample(metainfo={'input_size': size[::-1]})
        sample.gt_instance_labels = labels
        samples.append(sample)
    return {'inputs': _images(batch, size), 'data_samples': samples}


def pose_batch_with_heatmaps(batch: int, size: Size, codec: Any) -> Batch:
    """The same as the reference's loader ships it: with float32 heatmaps made by mmpose's codec."""
    found = pose_batch(batch, size)
    for sample in found['data_samples']:
        labels = sample.gt_instance_labels
        encoded = codec.encode(labels.keypoints.numpy(), labels.keypoint_weights.numpy())
        labels.keypoint_weights = torch.from_numpy(encoded['keypoint_weights'])
        sample.gt_fields = PixelData(heatmaps=torch.from_numpy(encoded['heatmaps']))
    return found


def _dense_batch(batch: int, size: Size, targets: Callable[[], dict[str, PixelData]]) -> Batch:
    samples = [SegDataSample(metainfo={'img_shape': size, 'ori_shape': size}) for _ in range(batch)]
    for sample in samples:
        sample.set_data(targets())
    return {'inputs': _images(batch, size), 'data_samples': samples}


def seg_batch(batch: int, size: Size) -> Batch:
    """Label maps of 28 classes."""
    random = np.random.default_rng(0)

    def labels() -> dict[str, PixelData]:
        ids = torch.from_numpy(random.integers(0, 28, (1, *size)))
        return {'gt_sem_seg': PixelData(data=ids)}

    return _dense_batch(batch, size, labels)


def depth_batch(batch: int, size: Size) -> Batch:
    """Relative depth in [0, 1] everywhere."""
    generator = torch.Generator().manual_seed(0)

    def depth() -> dict[str, PixelData]:
        return {
            'gt_depth_map': PixelData(data=torch.rand(1, *size, generator=generator)),
            'gt_mask': PixelData(data=torch.ones(1, *size, dtype=torch.uint8)),
        }

    return _dense_batch(batch, size, depth)


def mae_batch(batch: int, size: Size) -> Batch:
    """Images alone."""
    from mmpretrain.structures import DataSample

    return {'inputs': _images(batch, size), 'data_samples': [DataSample() for _ in range(batch)]}
