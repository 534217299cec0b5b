# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Read a sample's image, mask and targets, and check that they fit together."""

from typing import Any

from mmcv.transforms import BaseTransform

from sapiens_common.files.images import read_image
from sapiens_common.files.maps import read_mask
from sapiens_common.layouts.body_parts import BODY_PART_SWAP_PAIRS
from sapiens_depth_normal.datasets.files import (
    check_depth,
    check_same_size,
    read_depth,
    read_labels,
    read_normal,
    unit_normals,
)
from sapiens_depth_normal.datasets.folders import sibling_of
from sapiens_depth_normal.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadMaps(BaseTransform):
    """Read whatever paths a sample has into arrays of one size.

    Required keys: ``img_path`` (not read if there is an ``img``); optional ``mask_path``, ``depth_path``,
    ``normal_path``, ``segmentation_path``. Depth and normals need a mask.
    Added keys: ``img`` uint8 BGR (H, W, 3), ``mask`` uint8 (H, W) of 0 and 1, ``gt_depth_map`` float32 (H, W),
    ``gt_normal_map`` float32 (H, W, 3) unit vectors XYZ, ``gt_seg_map`` uint8 (H, W) with the mirror pairs of
    its labels as ``swap_pairs``, ``img_shape`` and ``ori_shape`` (height, width).
    Depth and normals are zero off the mask.

    Args:
        mask_threshold: Largest background value of a mask file.
        depth_unit: What one unit of the depth files is worth (0.001 for millimetres).
        convention: Camera coordinates of the normal files: ``opengl`` (this suite's) or ``opencv``.
        siblings: Kinds (``mask``, ``depth``, ...) to look for in the folders beside the image's, under the
            image's name, for datasets that know nothing of them.

    Raises:
        ValueError: A file cannot be read, has another size than its image, or holds values that make no
            target; the text names the file.
    """

    def __init__(
        self,
        mask_threshold: float = 0,
        depth_unit: float = 1.0,
        convention: str = 'opengl',
        siblings: list[str] | tuple[str, ...] = (),
    ) -> None:
        self.mask_threshold = mask_threshold
        self.depth_unit = depth_unit
        self.convention = convention
        self.siblings = siblings

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read and check one sample."""
        for kind in self.siblings:
            results[f'{kind}_path'] = str(sibling_of(results['img_path'], kind))
        if 'img' not in results:
            results['img'] = read_image(results['img_path'])
        shape = results['img'].shape[:2]
        results['img_shape'] = results['ori_shape'] = shape
        if 'segmentation_path' in results:
            labels = read_labels(results['segmentation_path'])
            check_same_size(results['segmentation_path'], labels.shape, shape)
            results.update(gt_seg_map=labels, swap_pairs=BODY_PART_SWAP_PAIRS)
        if 'mask_path' in results:
            self._load_masked(results, shape)
        return results

    def _load_masked(self, results: dict[str, Any], shape: tuple[int, int]) -> None:
        """Read the mask and what is defined on it."""
        path = results['mask_path']
        mask = read_mask(path, self.mask_threshold)
        check_same_size(path, mask.shape, shape)
        if not mask.any():
            raise ValueError(f'mask {path} is empty: no pixel to learn from or to judge')
        results['mask'] = mask.astype('uint8')
        if 'depth_path' in results:
            path = results['depth_path']
            depth = read_depth(path, self.depth_unit)
            check_same_size(path, depth.shape, shape)
            check_depth(path, depth, mask)
            depth[~mask] = 0
            results['gt_depth_map'] = depth
        if 'normal_path' in results:
            path = results['normal_path']
            normals = read_normal(path, self.convention)
            check_same_size(path, normals.shape, shape)
            results['gt_normal_map'] = unit_normals(path, normals, mask)
