# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Read a sample's image, mask and targets, and check that they fit together."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from sapiens_common.files.images import read_image
from sapiens_common.files.maps import read_mask
from sapiens_common.layouts.body_parts import BODY_PART_SWAP_PAIRS
from sapiens_depth_normal.datasets.files import (
    check_depth,
    check_same_size,
    is_no_surface,
    parse_order,
    read_albedo,
    read_alpha,
    read_depth,
    read_intrinsics,
    read_labels,
    read_normal,
    read_trimap,
    unit_normals,
)
from sapiens_depth_normal.datasets.folders import sibling_of
from sapiens_depth_normal.datasets.plausibility import check_depth_range, check_normals
from sapiens_depth_normal.registry import TRANSFORMS

# How files are read unless their data set or the config says otherwise.
DEFAULT_FORMAT: dict[str, Any] = {
    'mask_threshold': 0,
    'depth_unit': 1.0,
    'depth_offset': 0.0,
    'no_surface': None,
    'convention': 'opengl',
    'channel_order': 'xyz',
}


@TRANSFORMS.register_module()
class LoadMaps(BaseTransform):
    """Read whatever paths a sample has into arrays of one size.

    Required keys: ``img_path`` (not read if there is an ``img``); optional ``mask_path`` (or several, which are
    put together), ``depth_path``, ``normal_path``, ``albedo_path``, ``alpha_path``, ``trimap_path``, ``camera_path``,
    ``segmentation_path``. Depth, normals and albedo need a mask.
    A data set that knows how its files are written says so in ``map_format``, a dict of the arguments
    below; arguments given here go before it.
    Added keys: ``img`` uint8 BGR (H, W, 3), ``mask`` uint8 (H, W) of 0 and 1, ``gt_depth_map`` float32 (H, W),
    ``gt_normal_map`` float32 (H, W, 3) unit vectors XYZ, ``gt_albedo_map`` float32 (H, W, 3) sRGB in [0, 1],
    red first, ``gt_alpha_map`` float32 (H, W) in [0, 1],
    ``trimap`` uint8 (H, W) of 0, 128 (unknown) and 255, ``intrinsics`` float64 (3, 3) in pixels, ``gt_seg_map`` uint8 (H, W) with the mirror pairs of
    its labels as ``swap_pairs``, ``img_shape`` and ``ori_shape`` (height, width).
    Depth, normals and albedo are zero off the mask.

    Args:
        mask_threshold: Largest background value of a mask file (0).
        depth_unit: What one unit of the depth files is worth (1; 0.001 for millimetres).
        no_surface: What depth files hold where there is no surface, in their own unit, such as 65504.
            Pixels at or beyond it leave the mask. None: there is no such value.
        convention: Camera coordinates of the normal files: ``opengl`` (this suite's) or ``opencv``.
        channel_order: Which component each channel of a normal file holds, see ``read_normal`` (``xyz``).
        siblings: Kinds (``mask``, ``depth``, ...) to look for in the folders beside the image's, under the
            image's name, for datasets that know nothing of them.
        plausible: Whether maps that cannot be right are refused: a depth range or normals that no person
            has, normals that contradict the depth.

    Raises:
        ValueError: A file cannot be read, has another size than its image, or holds values that make no
            target; the text names the file.
    """

    def __init__(
        self,
        mask_threshold: float | None = None,
        depth_unit: float | None = None,
        no_surface: float | None = None,
        convention: str | None = None,
        channel_order: str | None = None,
        siblings: list[str] | tuple[str, ...] = (),
        plausible: bool = True,
    ) -> None:
        given = {
            'mask_threshold': mask_threshold,
            'depth_unit': depth_unit,
            'no_surface': no_surface,
            'convention': convention,
            'channel_order': channel_order,
        }
        self.format = {key: value for key, value in given.items() if value is not None}
        parse_order(channel_order or 'xyz')
        self.siblings = siblings
        self.plausible = plausible

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
        if 'alpha_path' in results:
            alpha = read_alpha(results['alpha_path'])
            check_same_size(results['alpha_path'], alpha.shape, shape)
            results['gt_alpha_map'] = alpha
        if 'trimap_path' in results:
            trimap = read_trimap(results['trimap_path'])
            check_same_size(results['trimap_path'], trimap.shape, shape)
            results['trimap'] = trimap
        if 'camera_path' in results:
            results['intrinsics'] = read_intrinsics(results['camera_path'])
        if 'mask_path' in results:
            self._load_masked(results, shape)
        return results

    def _load_masked(self, results: dict[str, Any], shape: tuple[int, int]) -> None:
        """Read the mask and what is defined on it."""
        how = {**DEFAULT_FORMAT, **results.get('map_format', {}), **self.format}
        path = results['mask_path']
        mask = np.zeros(shape, bool)
        for one in [path] if isinstance(path, str) else path:
            part = read_mask(one, how['mask_threshold'])
            check_same_size(one, part.shape, shape)
            mask |= part
        depth = normals = None
        if 'depth_path' in results:
            depth = read_depth(results['depth_path'])
            check_same_size(results['depth_path'], depth.shape, shape)
            mask &= ~is_no_surface(depth, how['no_surface'])
            depth = depth * np.float32(how['depth_unit']) + np.float32(how['depth_offset'])
        if not mask.any():
            raise ValueError(f'mask {path} is empty: no pixel to learn from or to judge')
        results['mask'] = mask.astype('uint8')
        if depth is not None:
            check_depth(results['depth_path'], depth, mask)
            if self.plausible:
                check_depth_range(results['depth_path'], depth, mask)
            depth[~mask] = 0
            results['gt_depth_map'] = depth
        if 'normal_path' in results:
            path = results['normal_path']
            normals = read_normal(path, how['convention'], how['channel_order'])
            check_same_size(path, normals.shape, shape)
            normals = unit_normals(path, normals, mask)
            if self.plausible:
                check_normals(path, normals, mask, depth, results.get('intrinsics'))
            results['gt_normal_map'] = normals
        if 'albedo_path' in results:
            albedo = read_albedo(results['albedo_path'])
            check_same_size(results['albedo_path'], albedo.shape, shape)
            albedo[~mask] = 0
            results['gt_albedo_map'] = albedo
