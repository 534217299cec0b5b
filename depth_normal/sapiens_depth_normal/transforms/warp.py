# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Geometric augmentation of an image together with everything that is drawn over it.

Scale, crop, stretch, rotation and mirroring are one affine map, applied once: the image bilinearly,
the maps by their nearest pixel (alpha and albedo bilinearly). Under it depth values stay (relative depth does
not depend on the lens), while normals turn with the image: they are vectors of the camera, and rolling the
camera rotates X and Y. Stretching is a change of focal lengths and leaves them alone.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from sapiens_depth_normal.registry import TRANSFORMS

# Maps that may accompany an image, with their value outside of it.
MAPS = {
    'mask': 0,
    'gt_depth_map': 0,
    'gt_normal_map': 0,
    'gt_albedo_map': 0,
    'gt_alpha_map': 0,
    'trimap': 0,
    'gt_seg_map': 255,
}
BLENDED = ('gt_albedo_map', 'gt_alpha_map')
"""Maps that are resampled as the image is; the others take their nearest pixel."""


class Warp(NamedTuple):
    """A window of the image that is stretched to the output, turned around its middle, and mirrored.

    Coordinates are continuous pixels: (0, 0) is the corner of the top-left pixel, (0.5, 0.5) its middle.
    """

    left: float
    top: float
    width: float
    height: float
    factor: float = 1.0  # detail that is kept: below 1, the image is first shrunk by this much
    angle: float = 0.0  # degrees, counter-clockwise as one sees it
    flip: bool = False

    def matrix(self, size: tuple[int, int]) -> np.ndarray:
        """Map (3, 3) from coordinates (x, y, 1) of the image to those of an output (height, width)."""
        sx, sy = size[1] / self.width, size[0] / self.height
        stretch = np.array([[sx, 0, -self.left * sx], [0, sy, -self.top * sy], [0, 0, 1]])
        cos, sin = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        center = np.array([[1, 0, size[1] / 2], [0, 1, size[0] / 2], [0, 0, 1]])
        turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])  # y points down
        mirror = np.diag([-1.0 if self.flip else 1.0, 1, 1])
        return center @ mirror @ turn @ np.linalg.inv(center) @ stretch


@TRANSFORMS.register_module()
class ResizeImage(BaseTransform):
    """Resize the image alone to the network's input; the aspect is not kept, as the published models saw it.

    Used for evaluation and inference, where targets stay at their original size.

    Modified keys: ``img``; added: ``img_shape`` (height, width).

    Args:
        size: (height, width) of the network's input.
        antialias: Whether images that become narrower are shrunk by the mean over areas. The published models saw
            bilinear samples; what :class:`RandomWarp` trains sees areas.
    """

    def __init__(self, size: tuple[int, int], antialias: bool = False) -> None:
        height, width = size
        self.size = (height, width)
        self.antialias = antialias

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize one image."""
        shrinks = self.size[1] < results['img'].shape[1]
        how = cv2.INTER_AREA if self.antialias and shrinks else cv2.INTER_LINEAR
        results['img'] = cv2.resize(results['img'], self.size[::-1], interpolation=how)
        results['img_shape'] = self.size
        return results


@TRANSFORMS.register_module()
class RandomWarp(BaseTransform):
    """Random scale, crop, rotation and mirroring of image, mask, depth, normals, part labels, keypoints.

    The image is scaled, aspect kept, to fit ``size`` times a random factor, a window of at most ``size`` is
    cut at a random place and stretched to ``size``; then it is rotated around its middle and mirrored.
    This is the geometry of the published recipes in a single resampling.

    Modified keys: ``img`` and those of ``MAPS`` that the sample has; ``img_shape``; ``keypoints`` (N, K, 2) and
    ``keypoints_visible`` (N, K), which becomes 0 for points that leave the image. Mirroring exchanges
    left and right by the sample's ``swap_pairs`` (labels) and ``flip_indices`` (keypoints). Outside of
    the image the mask is 0, so no loss is taken there.

    Args:
        size: (height, width) of the network's input.
        scale: Range of the random factor. Below 1 the image alone loses detail accordingly, as
            a smaller photo would.
        rotate_prob: Chance of a rotation.
        max_angle: Rotations are uniform within plus and minus this, in degrees.
        flip_prob: Chance of mirroring.

    Raises:
        ValueError: A probability outside 0..1, or a range that is empty or not positive.
    """

    def __init__(
        self,
        size: tuple[int, int],
        scale: tuple[float, float] = (0.2, 2.0),
        rotate_prob: float = 0.5,
        max_angle: float = 60.0,
        flip_prob: float = 0.5,
    ) -> None:
        if not (0 <= rotate_prob <= 1 and 0 <= flip_prob <= 1):
            raise ValueError(f'probabilities must be in [0, 1], got {rotate_prob} and {flip_prob}')
        if not 0 < scale[0] <= scale[1]:
            raise ValueError(f'scale must be (low, high) with 0 < low <= high, got {scale}')
        height, width = size
        self.size = self.map_size = (height, width)
        self.scale = scale
        self.rotate_prob = rotate_prob
        self.max_angle = max_angle
        self.flip_prob = flip_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw a warp and apply it to one sample."""
        return self.apply(results, self.draw(results['img'].shape[:2]))

    def draw(self, shape: tuple[int, int]) -> Warp:
        """Random parameters for an image of ``shape`` (height, width)."""
        fit = min(self.size[0] / shape[0], self.size[1] / shape[1])
        factor = fit * np.random.uniform(*self.scale)
        height, width = np.minimum(self.size, np.multiply(shape, factor)) / factor
        top, left = np.random.uniform(0, 1, 2) * (shape[0] - height, shape[1] - width)
        angle = 0.0
        if np.random.rand() < self.rotate_prob:
            angle = np.random.uniform(-self.max_angle, self.max_angle)
        return Warp(left, top, width, height, factor, angle, np.random.rand() < self.flip_prob)

    def apply(self, results: dict[str, Any], warp: Warp) -> dict[str, Any]:
        """Warp one sample."""
        matrix = warp.matrix(self.size)
        results['img'] = _warp_image(results['img'], matrix, self.size, warp.factor)
        self.warp_maps(results, warp)
        if 'keypoints' in results:
            self._warp_keypoints(results, matrix, warp.flip)
        results['img_shape'] = self.size
        results.pop('intrinsics', None)  # after a rotation no such matrix describes the camera
        return results

    def warp_maps(self, results: dict[str, Any], warp: Warp) -> dict[str, Any]:
        """Warp the maps of one sample to ``map_size``, and nothing else."""
        matrix = warp.matrix(self.map_size)
        for key, outside in MAPS.items():
            if key in results:
                results[key] = _warp_map(
                    results[key], matrix, self.map_size, outside, key in BLENDED
                )
        if 'gt_normal_map' in results:
            results['gt_normal_map'] = turn_normals(results['gt_normal_map'], warp.angle, warp.flip)
        if warp.flip and 'gt_seg_map' in results:
            results['gt_seg_map'] = swap_labels(results['gt_seg_map'], results['swap_pairs'])
        return results

    def _warp_keypoints(self, results: dict[str, Any], matrix: np.ndarray, flip: bool) -> None:
        """Move keypoints with the image; integer coordinates are the middles of pixels."""
        points, visible = results['keypoints'][..., :2], results['keypoints_visible']
        matrix = _centered(matrix)
        points = points @ matrix[:, :2].T + matrix[:, 2]
        if flip:
            order = results['flip_indices']
            points, visible = points[:, order], visible[:, order]
        inside = ((points > -0.5) & (points < np.array(self.size[::-1]) - 0.5)).all(axis=-1)
        results['keypoints'] = points.astype(np.float32)
        results['keypoints_visible'] = np.where(inside, visible, 0).astype(np.float32)


def turn_normals(normals: np.ndarray, angle: float, flip: bool) -> np.ndarray:
    """Normals (H, W, 3; X right, Y up) after a rotation counter-clockwise by ``angle``, then a mirroring."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    turned = np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=-1).astype(normals.dtype)
    if flip:
        turned[..., 0] *= -1
    return turned


def swap_labels(labels: np.ndarray, pairs: Any) -> np.ndarray:
    """Exchange the values of each (left, right) pair in a label map (H, W)."""
    table = np.arange(256, dtype=labels.dtype)
    for one, other in pairs:
        table[[one, other]] = other, one
    return table[labels]


def _centered(matrix: np.ndarray) -> np.ndarray:
    """The map (2, 3) for OpenCV, whose integer coordinates are the middles of pixels."""
    shift = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    return (shift @ matrix @ np.linalg.inv(shift))[:2]


def _warp_image(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], factor: float
) -> np.ndarray:
    """Warp an image (H, W, 3), after shrinking it to the detail that ``factor`` leaves."""
    if factor < 1:
        height, width = image.shape[:2]
        small = (max(1, round(width * factor)), max(1, round(height * factor)))  # (w, h)
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        matrix = matrix @ np.diag([width / small[0], height / small[1], 1])
    return cv2.warpAffine(image, _centered(matrix), size[::-1], flags=cv2.INTER_LINEAR)


def _warp_map(
    values: np.ndarray,
    matrix: np.ndarray,
    size: tuple[int, int],
    outside: int,
    blend: bool = False,
) -> np.ndarray:
    """Warp a map (H, W[, C]) by nearest pixel, or bilinearly."""
    flags = cv2.INTER_LINEAR if blend else cv2.INTER_NEAREST
    return cv2.warpAffine(
        values, _centered(matrix), size[::-1], flags=flags, borderValue=[outside] * 4
    )
