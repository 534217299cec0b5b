# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What cameras and files do to a picture: fewer pixels, blur, noise, compression; and solarisation."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from sapiens_common.registry import TRANSFORMS

_KERNELS = (
    cv2.INTER_NEAREST,
    cv2.INTER_LINEAR,
    cv2.INTER_CUBIC,
    cv2.INTER_AREA,
    cv2.INTER_LANCZOS4,
)


@TRANSFORMS.register_module()
class Degrade(BaseTransform):
    """Worsen an image (BGR uint8) in the ways whose chances are given, in this order.

    Modified keys: ``img``.

    Args:
        jpeg: Chance of compression with a quality of 30 to 95.
        resolution: Chance of shrinking to 0.1 to 0.7 of the size and enlarging again, by random kernels.
        blur: Chance of a Gaussian of 3 x 3 pixels with sigma 0.1 to 2.
        noise: Chance of Gaussian noise with a variance of 5 to 20 grey levels.
        solarize: Chance of inverting all values above 128.

    Raises:
        ValueError: A chance outside 0..1.
    """

    def __init__(
        self,
        jpeg: float = 0.0,
        resolution: float = 0.0,
        blur: float = 0.0,
        noise: float = 0.0,
        solarize: float = 0.0,
    ) -> None:
        self.chances = {
            _compress: jpeg,
            _resample: resolution,
            _blur: blur,
            _add_noise: noise,
            _solarize: solarize,
        }
        if not all(0 <= chance <= 1 for chance in self.chances.values()):
            raise ValueError(
                f'Degrade: chances must be in [0, 1], got {list(self.chances.values())}'
            )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Worsen one image."""
        for worsen, chance in self.chances.items():
            if np.random.rand() < chance:
                results['img'] = worsen(results['img'])
        return results


def _compress(image: np.ndarray) -> np.ndarray:
    quality = int(np.random.randint(30, 96))
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def _resample(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    factor = np.random.uniform(0.1, 0.7)
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    down, up = (_KERNELS[index] for index in np.random.randint(len(_KERNELS), size=2))
    image = cv2.resize(image, small, interpolation=down)
    return cv2.resize(image, (width, height), interpolation=up)


def _blur(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (3, 3), np.random.uniform(0.1, 2.0))


def _add_noise(image: np.ndarray) -> np.ndarray:
    noise = np.random.normal(0, np.sqrt(np.random.uniform(5, 20)), image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _solarize(image: np.ndarray) -> np.ndarray:
    return np.where(image > 128, 255 - image, image)
