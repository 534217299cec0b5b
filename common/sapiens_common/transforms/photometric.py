# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Random brightness, contrast, saturation, hue and channel order, by tables on uint8."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from sapiens_common.registry import TRANSFORMS

_HUES = 180  # OpenCV's hue of a uint8 image, in steps of two degrees


@dataclass(frozen=True)
class Distortion:
    """What is done to one image, in this order.

    Attributes:
        brightness: Added to every channel.
        contrast: Factor of every channel.
        contrast_last: Whether the contrast comes after saturation and hue.
        saturation: Factor in HSV.
        hue: Added to OpenCV's hue (steps of two degrees), which wraps around.
        order: New order of the channels.
    """

    brightness: float = 0.0
    contrast: float = 1.0
    contrast_last: bool = False
    saturation: float = 1.0
    hue: int = 0
    order: tuple[int, int, int] = (0, 1, 2)


def distort(image: np.ndarray, how: Distortion) -> np.ndarray:
    """Distort a BGR uint8 image (H, W, 3), in its own memory where that is contiguous.

    A function of one byte has 256 values, so each step is a table, and neighbouring steps are one.
    Every step rounds towards zero as the float arithmetic of mmpose and mmseg does; saturation and
    hue share one way through HSV.

    Returns:
        The distorted image.
    """
    image = np.ascontiguousarray(image)
    values = np.arange(256, dtype=np.float32)
    contrast = _to_bytes(values * how.contrast)
    first = _to_bytes(values + how.brightness)
    if not how.contrast_last:
        first = contrast[first]
    image = _apply(image, first)
    if how.saturation != 1 or how.hue:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2HSV, dst=image)
        table = np.empty((256, 3), np.uint8)
        table[:, 0] = (np.arange(256) + how.hue) % _HUES
        table[:, 1] = _to_bytes(values * how.saturation)
        table[:, 2] = values
        image = cv2.LUT(image, table[None], dst=image)
        image = cv2.cvtColor(image, cv2.COLOR_HSV2BGR, dst=image)
    if how.contrast_last:
        image = _apply(image, contrast)
    if how.order != (0, 1, 2):
        pairs = [index for to, source in enumerate(how.order) for index in (source, to)]
        swapped = np.empty_like(image)
        cv2.mixChannels([image], [swapped], pairs)
        image = swapped
    return image


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Clip and round towards zero."""
    return np.clip(values, 0, 255).astype(np.uint8)


def _apply(image: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Look up all channels in one table, unless it changes nothing."""
    if (table == np.arange(256)).all():
        return image
    return cv2.LUT(image, table, dst=image)


@TRANSFORMS.register_module()
class ColourDistortion(BaseTransform):
    """Distort colours at random: each kind with probability 0.5.

    The ranges and the arithmetic are those of mmpose's ``PhotometricDistortion`` and mmseg's
    ``PhotoMetricDistortion``, in about half the time. mmpose applies the contrast twice or never,
    and lets the hue run past its range instead of around; here both are as meant: contrast before or
    after saturation and hue, by chance, and a hue that wraps.

    Required and modified key: ``img`` BGR uint8 (H, W, 3), changed in place.

    Args:
        brightness_delta: Largest change of brightness.
        contrast_range: Range of the contrast's factor.
        saturation_range: Range of the saturation's factor.
        hue_delta: Largest change of OpenCV's hue.
        channel_swap: Whether the channels are also put in a random order.
    """

    def __init__(
        self,
        brightness_delta: float = 32,
        contrast_range: tuple[float, float] = (0.5, 1.5),
        saturation_range: tuple[float, float] = (0.5, 1.5),
        hue_delta: int = 18,
        channel_swap: bool = False,
    ) -> None:
        self.brightness_delta = brightness_delta
        self.contrast_range = contrast_range
        self.saturation_range = saturation_range
        self.hue_delta = hue_delta
        self.channel_swap = channel_swap

    def draw(self) -> Distortion:
        """Choose a distortion."""
        chosen: dict[str, Any] = {'contrast_last': bool(np.random.randint(2))}
        if np.random.randint(2):
            chosen['brightness'] = np.random.uniform(-self.brightness_delta, self.brightness_delta)
        if np.random.randint(2):
            chosen['contrast'] = np.random.uniform(*self.contrast_range)
        if np.random.randint(2):
            chosen['saturation'] = np.random.uniform(*self.saturation_range)
        if self.hue_delta and np.random.randint(2):
            chosen['hue'] = int(np.random.randint(-self.hue_delta, self.hue_delta))
        if self.channel_swap and np.random.randint(2):
            chosen['order'] = tuple(np.random.permutation(3).tolist())
        return Distortion(**chosen)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Distort the image."""
        results['img'] = distort(results['img'], self.draw())
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(brightness_delta={self.brightness_delta}, '
            f'contrast_range={self.contrast_range}, saturation_range={self.saturation_range}, '
            f'hue_delta={self.hue_delta}, channel_swap={self.channel_swap})'
        )
