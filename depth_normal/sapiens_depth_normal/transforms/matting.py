# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Targets of matting: foreground and alpha, and pictures made of cut-outs."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from sapiens_common.files.images import list_images, read_image
from sapiens_common.files.maps import read_picture
from sapiens_common.transforms.random_background import random_cover
from sapiens_depth_normal.registry import TRANSFORMS

from .fit import cut_window


@TRANSFORMS.register_module()
class LoadCutout(BaseTransform):
    """Read a cut-out: a picture with straight colours and an alpha channel.

    Required keys: ``img_path``. Added: ``img`` uint8 BGR (H, W, 3), ``gt_alpha_map`` float32 (H, W) in [0, 1],
    ``img_shape`` and ``ori_shape`` (height, width).

    Raises:
        ValueError: The file cannot be read, or has no alpha channel.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read one picture."""
        path = results['img_path']
        picture = read_picture(path)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 4:
            raise ValueError(
                f'cut-out {path}: expected 8 bits of red, green, blue and alpha, got '
                f'{picture.dtype} {picture.shape}'
            )
        results['img'] = np.ascontiguousarray(picture[..., :3])
        results['gt_alpha_map'] = picture[..., 3].astype(np.float32) / 255
        results['img_shape'] = results['ori_shape'] = picture.shape[:2]
        return results


@TRANSFORMS.register_module()
class CompositeCutout(BaseTransform):
    """Put a cut-out with straight colours in front of a random picture.

    Required keys: ``img`` uint8 BGR (H, W, 3), the straight colours, and ``gt_alpha_map`` (H, W).
    Modified: ``img``.

    Args:
        folder: Folder of pictures without people, searched without subfolders.

    Raises:
        ValueError: The folder is missing or empty.
    """

    def __init__(self, folder: str) -> None:
        self.pictures = list_images(folder)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Composite one sample."""
        image, alpha = results['img'], results['gt_alpha_map'][..., None]
        picture = read_image(self.pictures[np.random.randint(len(self.pictures))])
        picture = random_cover(picture, *image.shape[:2])
        blended = alpha * image.astype(np.float32) + (1 - alpha) * picture
        results['img'] = np.clip(blended.round(), 0, 255).astype(np.uint8)
        return results


@TRANSFORMS.register_module()
class CropToAlpha(BaseTransform):
    """Cut an image to the box of its alpha, with some room around it.

    Args:
        padding: Range of the room on each side, in parts of the box.
        prob: Chance to cut.
    """

    def __init__(self, padding: tuple[float, float] = (0.0, 0.1), prob: float = 0.5) -> None:
        self.padding = padding
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cut with probability ``prob``."""
        covered = (results['gt_alpha_map'] > 0).astype(np.uint8)
        if np.random.rand() >= self.prob or not covered.any():
            return results
        left, top, width, height = cv2.boundingRect(covered)
        room = [np.random.uniform(*self.padding) * side for side in (width, height, width, height)]
        x0, y0 = max(0, round(left - room[0])), max(0, round(top - room[1]))
        x1 = min(covered.shape[1], round(left + width + room[2]))
        y1 = min(covered.shape[0], round(top + height + room[3]))
        cut_window(results, y0, x0, y1 - y0, x1 - x0)
        return results


@TRANSFORMS.register_module()
class MattingTarget(BaseTransform):
    """Make the matte of the final image: colours multiplied by alpha, and alpha.

    A photo shows the colour of the foreground where alpha is 1, and it is 0 where alpha is 0; in between it is
    mixed with the background, and unknown. A photo to predict has no alpha and stays as it is.

    Required keys: ``img`` uint8 BGR (H, W, 3), ``gt_alpha_map`` float32 (h, w) in [0, 1], as large or smaller.
    Added keys: ``gt_matting_map`` float32 (h, w, 4), red, green, blue, alpha in [0, 1]; ``mask`` uint8 (h, w) of 1,
    if the sample has none: mattes are learned everywhere.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Make one target."""
        if 'gt_alpha_map' not in results:
            return results
        alpha, image = results['gt_alpha_map'], results['img']
        if image.shape[:2] != alpha.shape:
            image = cv2.resize(image, alpha.shape[::-1], interpolation=cv2.INTER_AREA)
        colours = image[..., ::-1].astype(np.float32) / 255
        results['gt_matting_map'] = np.dstack([colours * alpha[..., None], alpha])
        results.setdefault('mask', np.ones(alpha.shape, np.uint8))
        return results
