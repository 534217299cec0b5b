# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From encoded bytes to a crop, decoding no more pixels than the crop needs."""

from math import exp, log
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from sapiens_common.files.headers import read_header
from sapiens_common.files.images import choose_reduction, decode_image, encoded_size
from sapiens_common.files.jpeg import JPEG_START
from sapiens_pretrain.registry import TRANSFORMS

_TRIES = 10

Box = tuple[int, int, int, int]
Size = tuple[int, int]


def decode_crop(encoded: bytes, box: Box | None, size: Size, name: str = '') -> np.ndarray:
    """Decode, crop and resize (bicubic, antialiased) an image.

    A JPEG is decoded at a half, a quarter or an eighth where the crop then still has at least the
    wanted size, which saves most of the time for large photos.

    Args:
        encoded: The file's content.
        box: Crop (left, top, right, bottom) in pixels of the upright image; None is all of it.
        size: (height, width) of the result in pixels.
        name: What the error calls it.

    Returns:
        BGR uint8 (H, W, 3).

    Raises:
        ValueError: The image is damaged.
    """
    header = read_header(encoded, name)
    height, width = header.size
    left, top, right, bottom = box or (0, 0, width, height)
    reduction = choose_reduction((bottom - top, right - left), size)
    is_jpeg = encoded.startswith(JPEG_START)  # other formats are decoded in full anyway
    image = decode_image(encoded, name, reduction if is_jpeg else 1, header)
    upright = Image.fromarray(image[..., ::-1])
    x, y = upright.width / width, upright.height / height
    part = (left * x, top * y, min(right * x, upright.width), min(bottom * y, upright.height))
    resized = upright.resize((size[1], size[0]), Image.Resampling.BICUBIC, box=part)
    return np.ascontiguousarray(np.asarray(resized)[..., ::-1])


@TRANSFORMS.register_module()
class DecodeRandomResizedCrop(BaseTransform):
    """Decode a random part of an image at a fixed size.

    Required key: ``encoded`` (removed). Added: ``img`` BGR uint8 (H, W, 3), ``img_shape``.

    Args:
        size: (height, width) of the crop in pixels.
        area: Range of the crop's share of the image's area.
        stretch: Range of the crop's width-to-height ratio, in units of that of ``size``.

    References:
        Szegedy et al., "Going Deeper with Convolutions", CVPR 2015 (random resized crops).
    """

    def __init__(
        self,
        size: Size,
        area: tuple[float, float] = (0.2, 1.0),
        stretch: tuple[float, float] = (3 / 4, 4 / 3),
    ) -> None:
        self.size = size
        self.area = area
        self.stretch = stretch

    def choose_box(self, height: int, width: int) -> Box:
        """Draw a crop (left, top, right, bottom); after ten misfits, the largest centred one."""
        target = self.size[1] / self.size[0]
        for _ in range(_TRIES):
            share = np.random.uniform(*self.area) * height * width
            ratio = target * exp(np.random.uniform(log(self.stretch[0]), log(self.stretch[1])))
            w, h = round((share * ratio) ** 0.5), round((share / ratio) ** 0.5)
            if 0 < w <= width and 0 < h <= height:
                left = np.random.randint(0, width - w + 1)
                top = np.random.randint(0, height - h + 1)
                return left, top, left + w, top + h
        ratio = min(max(width / height, target * self.stretch[0]), target * self.stretch[1])
        w = min(width, max(1, round(height * ratio)))
        h = min(height, max(1, round(width / ratio)))
        left, top = (width - w) // 2, (height - h) // 2
        return left, top, left + w, top + h

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Decode a crop.

        Raises:
            ValueError: The image is damaged, or claims to be larger than images may be.
        """
        encoded, name = results.pop('encoded'), results.get('img_path', '')
        box = self.choose_box(*encoded_size(encoded, name))
        results['img'] = decode_crop(encoded, box, self.size, name)
        results['img_shape'] = results['img'].shape[:2]
        return results
