# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Read a sample's image, mask and targets, and check that they fit together."""

from typing import Any

from mmcv.transforms import BaseTransform

from sapiens_common.images import read_image
from sapiens_depth_normal.datasets.files import (
    check_depth,
    check_same_size,
    read_depth,
    read_mask,
    read_normal,
    unit_normals,
)
from sapiens_depth_normal.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadMaps(BaseTransform):
    """Read whatever paths a sample has into arrays of one size.

    Required keys: ``img_path``, ``mask_path``; optional ``depth_path``, ``normal_path``.
    Added keys: ``img`` uint8 BGR (H, W, 3), ``mask`` uint8 (H, W) of 0 and 1, ``gt_depth_map`` float32 (H, W),
    ``gt_normal_map`` float32 (H, W, 3) unit vectors XYZ, ``img_shape`` and ``ori_shape`` (height, width).
    The maps are zero off the mask.

    Args:
        mask_threshold: Largest background value of a mask file.
        depth_unit: What one unit of the depth files is worth (0.001 for millimetres).
        convention: Camera coordinates of the normal files: ``opengl`` (this suite's) or ``opencv``.

    Raises:
        ValueError: A file cannot be read, has another size than its image, or holds values that make no
            target; the text names the file.
    """

    def __init__(
        self, mask_threshold: float = 0, depth_unit: float = 1.0, convention: str = 'opengl'
    ) -> None:
        self.mask_threshold = mask_threshold
        self.depth_unit = depth_unit
        self.convention = convention

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read and check one sample."""
        image = read_image(results['img_path'])
        mask_path = results['mask_path']
        mask = read_mask(mask_path, self.mask_threshold)
        check_same_size(mask_path, mask.shape, image.shape)
        if not mask.any():
            raise ValueError(f'mask {mask_path} is empty: no pixel to learn from or to judge')
        results.update(img=image, mask=mask.astype('uint8'))
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        if 'depth_path' in results:
            path = results['depth_path']
            depth = read_depth(path, self.depth_unit)
            check_same_size(path, depth.shape, image.shape)
            check_depth(path, depth, mask)
            depth[~mask] = 0
            results['gt_depth_map'] = depth
        if 'normal_path' in results:
            path = results['normal_path']
            normals = read_normal(path, self.convention)
            check_same_size(path, normals.shape, image.shape)
            results['gt_normal_map'] = unit_normals(path, normals, mask)
        return results
