# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading the image of a sample, with one kind of error for a missing and for a torn file."""

from typing import Any

from mmcv.transforms import BaseTransform

from sapiens_common.files.images import (
    choose_reduction,
    decode_image,
    encoded_size,
    read_encoded,
    read_image,
)
from sapiens_common.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadPhoto(BaseTransform):
    """Read ``img_path``, or take an image that the sample already holds.

    Required keys: ``img_path``, or ``img`` uint8 BGR (H, W, 3).
    Added keys: ``img`` uint8 BGR (H, W, 3), its ``img_shape`` (height, width), and ``ori_shape``, that of the
    file.

    Args:
        at_least: (long side, short side) in pixels that later steps may ask for. A file of twice, four or
            eight times that is decoded at a half, a quarter or an eighth; whatever reads targets must
            bring them to ``img_shape``. None decodes every file at its full size.
    """

    def __init__(self, at_least: tuple[int, int] | None = None) -> None:
        self.at_least = at_least

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read one image.

        Raises:
            ValueError: The file is missing or cannot be decoded.
        """
        if 'img' not in results and self.at_least is not None:
            return self._reduced(results, self.at_least)
        if 'img' not in results:
            results['img'] = read_image(results['img_path'])
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results

    @staticmethod
    def _reduced(results: dict[str, Any], wanted: tuple[int, int]) -> dict[str, Any]:
        """Decode no more than needed."""
        path = results['img_path']
        encoded = read_encoded(path)
        size = encoded_size(encoded, path)
        reduction = choose_reduction((max(size), min(size)), wanted)
        results['img'] = decode_image(encoded, path, reduction)
        results['img_shape'] = results['img'].shape[:2]
        results['ori_shape'] = size if reduction > 1 else results['img_shape']
        results['reduction'] = reduction
        return results
