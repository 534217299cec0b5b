# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Put the person of a training image in front of another picture."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from sapiens_common.files.images import list_images, read_image
from sapiens_common.layouts.body_parts import IGNORE_INDEX
from sapiens_common.registry import TRANSFORMS

_CONTRAST = (0.5, 2.0)
"""Factors between which the person's spread of colours may change: before a plain wall or the sky the
full match of the method would leave a plain, invisible person."""


@TRANSFORMS.register_module()
class RandomBackground(BaseTransform):
    """Replace everything but the person by a random picture without people.

    The person is ``mask > 0`` where the sample has a ``mask``, else the labels of ``gt_seg_map`` that
    are neither background (0) nor ignored (255). Labels stay as they are. With ``match_colors``
    the person's colours are then shifted to the new picture's mean and spread in Lab space
    (Reinhard et al., "Color Transfer between Images", 2001), which hides the cut; the spread changes by
    a factor of two at most, so that the person stays visible.

    Required keys: ``img`` uint8 BGR (H, W, 3) and ``mask`` or ``gt_seg_map`` (H, W).
    Modified keys: ``img``.

    Args:
        prob: Chance to replace the background of a sample, 0..1.
        folder: Folder of pictures without people, searched without subfolders.
        match_colors: Whether the person takes on the colours of the new background.

    Raises:
        ValueError: ``prob`` outside 0..1; the folder is missing or empty while ``prob`` is above 0.
    """

    def __init__(self, prob: float, folder: str, match_colors: bool = True) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'RandomBackground: prob must be in [0, 1], got {prob}')
        self.prob = prob
        self.match_colors = match_colors
        try:
            self.pictures = list_images(folder) if prob > 0 else []
        except ValueError as error:
            raise ValueError(
                f'RandomBackground with prob={prob} needs pictures without people: {error}. '
                'Name a folder that has some, or set prob=0'
            ) from error

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the background with probability ``prob``.

        Raises:
            ValueError: The sample has no mask of the image's size, or a picture cannot be read.
        """
        if np.random.rand() >= self.prob:
            return results
        image = results['img']
        person = _person(results)
        picture = read_image(self.pictures[np.random.randint(len(self.pictures))])
        picture = random_cover(picture, image.shape[0], image.shape[1])
        if person.any() and self.match_colors:
            image = _match_colors(image, person, picture)
        results['img'] = np.where(person[..., None], image, picture)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(prob={self.prob}, pictures={len(self.pictures)}, '
            f'match_colors={self.match_colors})'
        )


def _person(results: dict[str, Any]) -> np.ndarray:
    """Boolean (H, W) mask of the person in a sample."""
    key = 'mask' if 'mask' in results else 'gt_seg_map'
    where = f'RandomBackground, {results.get("img_path", "image without a path")}'
    if key not in results:
        raise ValueError(f'{where}: expected the key "mask" or "gt_seg_map"; load labels before it')
    labels, size = results[key], results['img'].shape[:2]
    if labels.shape != size:
        raise ValueError(f'{where}: {key} is {labels.shape}, expected {size} as the image')
    return labels > 0 if key == 'mask' else (labels > 0) & (labels != IGNORE_INDEX)


def random_cover(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale a picture, aspect kept, until it covers (height, width), and cut a random window."""
    picture = scale_to_cover(picture, height, width)
    top = np.random.randint(picture.shape[0] - height + 1)
    left = np.random.randint(picture.shape[1] - width + 1)
    return picture[top : top + height, left : left + width]


def scale_to_cover(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """The smallest size of a picture, aspect kept, that covers (height, width)."""
    scale = max(height / picture.shape[0], width / picture.shape[1])
    size = max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=interpolation)


def _match_colors(image: np.ndarray, person: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Give the person's pixels the picture's mean and, within limits, spread per channel of Lab space."""
    source = cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(np.float32)
    target = cv2.cvtColor(picture, cv2.COLOR_BGR2LAB).reshape(-1, 3).astype(np.float32)
    pixels = source[person]  # (N, 3)
    spread = (target.std(0) / np.maximum(pixels.std(0), 1e-3)).clip(*_CONTRAST)
    source = (source - pixels.mean(0)) * spread + target.mean(0)
    return cv2.cvtColor(np.clip(source, 0, 255).round().astype(np.uint8), cv2.COLOR_LAB2BGR)
