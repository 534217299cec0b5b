# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Packing for the multitask model: what pose, segmentation, depth and normals need, in one sample."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import InstanceData

from sapiens_depth_normal.transforms.packing import PackMaps
from sapiens_depth_normal.transforms.warp import MAPS, RandomWarp, Warp
from sapiens_inference.engine.dense import crop_region, cut_out
from sapiens_inference.items import PADDING
from sapiens_multitask.registry import TRANSFORMS

GROUPS = {
    'body': (*range(15), 41, 62),
    'foot': range(15, 21),
    'face': range(70, 308),
}
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
        # UDP's scale spans the middles of the first and the last pixel, a resized image their outer edges.
        scale = original * (size - 1) / size
        center = original / 2 - 0.5 + results.get('crop_corner', (0, 0))
        sample.set_metainfo(
            {'input_size': tuple(size), 'input_scale': scale, 'input_center': center}
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


@TRANSFORMS.register_module()
class RandomPersonWarp(RandomWarp):
    """As :class:`RandomWarp`, but the window is one person's box, grown as at inference, and varied.

    Required key: ``bbox`` (1, 4) xyxy in pixels. Modified keys: see :class:`RandomWarp`.

    Args:
        size: (height, width) of the network's input.
        scale: Range of a factor on the window's sides.
        shift: Largest move of the window, in shares of its sides.
        stretch: Largest change of the window's aspect ratio.
        half_prob: Chance that the window shows a random half of the person, or less.
        map_stride: Maps become this much smaller than ``size``; losses are taken at their resolution, so that of
            2 costs a quarter.
        **kwargs: ``rotate_prob``, ``max_angle``, ``flip_prob`` of :class:`RandomWarp`.
    """

    def __init__(
        self,
        size: tuple[int, int],
        scale: tuple[float, float] = (0.75, 1.3),
        shift: float = 0.1,
        stretch: float = 0.2,
        half_prob: float = 0.15,
        map_stride: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(size, scale, **kwargs)
        if size[0] % map_stride or size[1] % map_stride:
            raise ValueError(f'size {size} is not a multiple of map_stride {map_stride}')
        self.map_size = (size[0] // map_stride, size[1] // map_stride)
        self.shift = shift
        self.stretch = stretch
        self.half_prob = half_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw a warp around the person and apply it to one sample."""
        return self.apply(results, self.draw_person(results['bbox'][0]))

    def draw_person(self, box: np.ndarray) -> Warp:
        """Random parameters for a box (4,) xyxy, integer coordinates at the middles of pixels."""
        random = np.random.uniform
        low, high = box[:2].astype(float), box[2:].astype(float)
        if np.random.rand() < self.half_prob:
            axis = int(np.random.rand() < 0.75)  # more often above or below than left or right
            cut = random(0.35, 0.7) * (high - low)[axis]
            if np.random.rand() < 0.6:
                high[axis] = low[axis] + cut
            else:
                low[axis] = high[axis] - cut
        width, height = np.maximum(high - low, 4) * PADDING * random(*self.scale)
        aspect = self.size[1] / self.size[0] * np.exp(random(-1, 1) * self.stretch)
        width, height = max(width, height * aspect), max(height, width / aspect)
        middle = (low + high) / 2 + 0.5 + random(-1, 1, 2) * self.shift * [width, height]
        angle = 0.0
        if np.random.rand() < self.rotate_prob:
            angle = random(-self.max_angle, self.max_angle)
        left, top = middle - [width / 2, height / 2]
        detail = min(1.0, self.size[0] / height)
        return Warp(left, top, width, height, detail, angle, np.random.rand() < self.flip_prob)


@TRANSFORMS.register_module()
class CropPerson(BaseTransform):
    """Cut out the region of the sample's box that inference would give the model, from image and maps; beyond
    the image's border they are filled as in training.

    A sample without ``bbox`` (1, 4), xyxy in pixels, stays whole: at inference the region is cut out before.
    Modified keys: ``img`` and the maps; ``ori_shape`` and ``img_shape`` (height, width) become the region's. Added: ``crop_corner`` (x, y) in the image.

    Args:
        size: (height, width) of the network's input, for its aspect ratio.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.aspect = size[1] / size[0]

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cut one sample."""
        if 'bbox' not in results:
            return results
        region = crop_region(results['bbox'][0], results['img'].shape, self.aspect, padded=True)
        x1, y1, x2, y2 = region
        for key, outside in {'img': 0, **MAPS}.items():
            if key in results:
                results[key] = cut_out(results[key], region, outside)
        results['ori_shape'] = results['img_shape'] = (int(y2 - y1), int(x2 - x1))
        results['crop_corner'] = (int(x1), int(y1))
        return results


@TRANSFORMS.register_module()
class WeighKeypoints(BaseTransform):
    """Let some of the 308 keypoints weigh more in the loss than others.

    Of the 308, 238 lie on the face; without weights they have three quarters of the loss.

    Modified key: ``keypoints_visible`` (N, 308).

    Args:
        **weights: By group (``body``: COCO's 17, ``foot``, ``face``); at least 0.5, which is the least that the
            codec takes for labelled. Others count once.
    """

    def __init__(self, **weights: float) -> None:
        unknown = set(weights) - set(GROUPS)
        if unknown or min(weights.values(), default=1) < 0.5:
            raise ValueError(
                f'WeighKeypoints takes weights of at least 0.5 for {", ".join(GROUPS)}, got {weights}'
            )
        self.factors = np.ones(308, np.float32)
        for group, weight in weights.items():
            self.factors[list(GROUPS[group])] = weight

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Weigh one sample's keypoints."""
        results['keypoints_visible'] = np.float32(results['keypoints_visible']) * self.factors
        return results
