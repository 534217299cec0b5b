# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading the image of a sample."""

from typing import Any

import numpy as np
from mmpose.datasets.transforms import LoadImage as MMPoseLoadImage

from sapiens_common.files.images import encoded_size, read_encoded, read_image
from sapiens_pose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadPersonImage(MMPoseLoadImage):
    """mmpose's loader, with one kind of error for a missing and for a broken file.

    Takes ``img_path``, or an image already in ``img``, and optionally ``listed_shape``, the (height, width) that its
    annotations are for; adds ``img`` (BGR uint8), ``img_shape``, ``ori_shape``.

    Args:
        defer: Whether to read the size alone and leave decoding to ``sapiens_pose.DecodeTopdownAffine``, which
            then knows how many pixels it needs. Until there, ``img`` is an empty list, which mmpose's
            geometric transforms take for images without any, and ``encoded`` holds the file's bytes.
        **kwargs: Of mmpose's loader.

    Raises:
        ValueError: The file is missing, cannot be decoded, or has another size than its annotations say.
    """

    def __init__(self, defer: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.defer = defer

    def transform(self, results: dict) -> dict | None:
        """Add the image; None for a greyscale one where the dataset wants none."""
        path = results.get('img_path', '')  # in-memory images have none
        if 'img' not in results and self.defer:
            results['encoded'] = read_encoded(path)
            results['img'] = []
            results['img_shape'] = results['ori_shape'] = encoded_size(results['encoded'], path)
            _check_shape(results)
            return results
        if 'img' not in results:
            results['img'] = read_image(path)
            results['ori_shape'] = results['img'].shape[:2]
            _check_shape(results)
        if results.get('reject_greyscale') and is_greyscale(results['img']):
            return None
        return super().transform(results)


def _check_shape(results: dict) -> None:
    """Check that keypoints are those of the picture as it is read.

    Raises:
        ValueError: The annotation file has another size.
    """
    found, listed = tuple(results['ori_shape']), tuple(results.get('listed_shape', ()))
    if listed and found != listed:
        turned = found == listed[::-1]
        raise ValueError(
            f'image {results["img_path"]} is {found[0]} x {found[1]} (height x width), its annotation file says '
            f'{listed[0]} x {listed[1]}; '
            + (
                'if it was annotated lying, without regard to its EXIF orientation, turn the keypoints and '
                'boxes upright too'
                if turned
                else 'keypoints and boxes must be in pixels of the file that is read'
            )
        )


def is_greyscale(image: np.ndarray) -> bool:
    """Whether the three channels of an image (H, W, 3) are equal everywhere."""
    for view in (image[::16, ::16], image):  # nearly every colour image is told by its first pixels
        if (view[..., 0] != view[..., 1]).any() or (view[..., 0] != view[..., 2]).any():
            return False
    return True
