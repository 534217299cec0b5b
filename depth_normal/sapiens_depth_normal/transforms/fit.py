# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2's geometry: scale, cut, mirror, and fit into the network's input with padding.

The camera matrix follows. As in the published code a resize multiplies the principal point like the
focal lengths, without the half pixel between corners and middles of pixels, and fitting an image multiplies both
axes alike, though its sizes become whole.
"""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from sapiens_depth_normal.registry import TRANSFORMS

from .warp import BLENDED, MAPS, swap_labels

MIN_PIXELS = 16


def maps_of(results: dict[str, Any]) -> list[str]:
    """The maps that a sample has beside its image."""
    return [key for key in MAPS if key in results]


def resize_all(results: dict[str, Any], size: tuple[int, int], targets: bool = True) -> None:
    """Resize the image, and its maps and camera if ``targets``, to (height, width)."""
    old_height, old_width = results['img'].shape[:2]
    results['img'] = cv2.resize(results['img'], size[::-1], interpolation=cv2.INTER_LINEAR)
    if not targets:
        return
    for key in maps_of(results):
        how = cv2.INTER_LINEAR if key in BLENDED else cv2.INTER_NEAREST
        results[key] = cv2.resize(results[key], size[::-1], interpolation=how)
    if 'intrinsics' in results:
        factors = np.array([[size[1] / old_width], [size[0] / old_height], [1]])
        results['intrinsics'] = np.asarray(results['intrinsics'], np.float64) * factors


@TRANSFORMS.register_module()
class FitImage(BaseTransform):
    """Resize an image, aspect kept, until it fits the network's input, and pad it there on all sides.

    Modified keys: ``img``; with ``targets`` also the maps and ``intrinsics`` of the sample. Added: ``img_shape``
    (height, width), ``padding_size`` (left, right, top, bottom) and, where there is a camera,
    ``input_intrinsics``, that of the network's input. Images are padded with black, maps with "outside".

    Args:
        size: (height, width) of the network's input.
        targets: Whether maps follow, as in training; in evaluation they stay at the original size.
        rounding: How the new size becomes whole: ``down`` as in the published inference, ``nearest`` as in the
            published training.

    Raises:
        ValueError: Unknown rounding.
    """

    def __init__(
        self, size: tuple[int, int], targets: bool = False, rounding: str = 'down'
    ) -> None:
        if rounding not in ('down', 'nearest'):
            raise ValueError(f"rounding {rounding!r} is neither 'down' nor 'nearest'")
        height, width = size
        self.size = (height, width)
        self.targets = targets
        self.rounding = rounding

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Fit one sample."""
        height, width = results['img'].shape[:2]
        factor = min(self.size[0] / height, self.size[1] / width)
        whole = int if self.rounding == 'down' else round
        fitted = (max(1, whole(height * factor)), max(1, whole(width * factor)))
        camera = results.get('intrinsics')
        resize_all(results, fitted, self.targets)
        left, top = (self.size[1] - fitted[1]) // 2, (self.size[0] - fitted[0]) // 2
        right, bottom = self.size[1] - fitted[1] - left, self.size[0] - fitted[0] - top
        results['img'] = self._pad(results['img'], (top, bottom, left, right), 0)
        if self.targets:
            for key in maps_of(results):
                results[key] = self._pad(results[key], (top, bottom, left, right), MAPS[key])
        if camera is not None:
            moved = np.asarray(camera, np.float64) * np.array([[factor], [factor], [1]])
            moved[:2, 2] += left, top
            results['input_intrinsics'] = moved
            if self.targets:
                results['intrinsics'] = moved
        results['img_shape'] = self.size
        results['padding_size'] = (left, right, top, bottom)
        return results

    @staticmethod
    def _pad(values: np.ndarray, sides: tuple[int, int, int, int], outside: int) -> np.ndarray:
        """Pad an array (H, W[, C]) by (top, bottom, left, right)."""
        return cv2.copyMakeBorder(values, *sides, cv2.BORDER_CONSTANT, value=[outside] * 4)


@TRANSFORMS.register_module()
class MirrorMaps(BaseTransform):
    """Mirror an image with all that belongs to it: maps, normals, labels, camera.

    Modified keys: ``img``, the maps of the sample, ``intrinsics``, ``extrinsics`` (4, 4).

    Args:
        prob: Chance to mirror a sample.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Mirror with probability ``prob``."""
        if np.random.rand() >= self.prob:
            return results
        for key in ('img', *maps_of(results)):
            results[key] = np.ascontiguousarray(results[key][:, ::-1])
        if 'gt_normal_map' in results:
            results['gt_normal_map'][..., 0] *= -1
        if 'gt_seg_map' in results:
            results['gt_seg_map'] = swap_labels(results['gt_seg_map'], results['swap_pairs'])
        if 'intrinsics' in results:
            camera = np.array(results['intrinsics'], np.float64)
            camera[0, 2] = results['img'].shape[1] - 1 - camera[0, 2]
            results['intrinsics'] = camera
        if 'extrinsics' in results:
            extrinsics = np.array(results['extrinsics'], np.float64)
            extrinsics[0] *= -1
            results['extrinsics'] = extrinsics
        return results


@TRANSFORMS.register_module()
class ScaleMaps(BaseTransform):
    """Resize an image with all that belongs to it by a random factor.

    Args:
        factors: Range of the factor.
        prob: Chance to do so.
    """

    def __init__(self, factors: tuple[float, float] = (0.5, 2.0), prob: float = 0.3) -> None:
        self.factors = factors
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Scale with probability ``prob``."""
        if np.random.rand() < self.prob:
            factor = np.random.uniform(*self.factors)
            height, width = (max(1, round(side * factor)) for side in results['img'].shape[:2])
            resize_all(results, (height, width))
        return results


@TRANSFORMS.register_module()
class CropMaps(BaseTransform):
    """Cut a random window out of an image with all that belongs to it.

    Args:
        aspect: Range of the window's width over its height, drawn evenly in its logarithm.
        area: Range of the window's share of the image.
        tries: Draws until a window fits into the image; if none does, the image stays whole.
        prob: Chance to cut.
    """

    def __init__(
        self,
        aspect: tuple[float, float] = (0.5, 2.0),
        area: tuple[float, float] = (0.4, 1.0),
        tries: int = 8,
        prob: float = 0.3,
    ) -> None:
        self.aspect = aspect
        self.area = area
        self.tries = tries
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cut with probability ``prob``."""
        if np.random.rand() >= self.prob:
            return results
        height, width = results['img'].shape[:2]
        for _ in range(self.tries):
            area = height * width * np.random.uniform(*self.area)
            aspect = np.exp(np.random.uniform(*np.log(self.aspect)))
            rows, columns = round(np.sqrt(area / aspect)), round(np.sqrt(area * aspect))
            if 1 <= rows <= height and 1 <= columns <= width:
                top = np.random.randint(height - rows + 1)
                left = np.random.randint(width - columns + 1)
                cut_window(results, top, left, rows, columns)
                break
        return results


def cut_window(results: dict[str, Any], top: int, left: int, rows: int, columns: int) -> None:
    """Cut a window out of the image, its maps and its camera."""
    for key in ('img', *maps_of(results)):
        results[key] = np.ascontiguousarray(results[key][top : top + rows, left : left + columns])
    if 'intrinsics' in results:
        camera = np.array(results['intrinsics'], np.float64)
        camera[:2, 2] -= left, top
        results['intrinsics'] = camera


@TRANSFORMS.register_module()
class RejectMaps(BaseTransform):
    """Drop training samples that have too little to learn from; the data set then draws another.

    Required keys: ``mask`` (H, W).

    Args:
        max_share: Largest share of the image that the mask may cover; the published recipes expect background.
        min_depth: Smallest canonical depth (metres times ``canonical_focal`` over the focal length).
        canonical_focal: Canonical focal length in pixels.
        min_spread: Smallest standard deviation of albedo on the mask that one channel must reach.
    """

    def __init__(
        self,
        max_share: float = 0.96,
        min_depth: float = 0.0,
        canonical_focal: float = 768.0,
        min_spread: float = 0.0,
    ) -> None:
        self.max_share = max_share
        self.min_depth = min_depth
        self.canonical_focal = canonical_focal
        self.min_spread = min_spread

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """The sample, or None."""
        mask = results['mask'] > 0
        if np.count_nonzero(mask) < MIN_PIXELS or mask.mean() > self.max_share:
            return None
        if self.min_depth:
            scale = self.canonical_focal / results['intrinsics'][0, 0]
            if results['gt_depth_map'][mask].min() * scale < self.min_depth:
                return None
        if self.min_spread and results['gt_albedo_map'][mask].std(0).max() < self.min_spread:
            return None
        return results
