# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""From an encoded photo to the input of the model in one warp."""

import cv2
import numpy as np
from mmpose.datasets.transforms import TopdownAffine as MMPoseTopdownAffine
from mmpose.structures.bbox import get_udp_warp_matrix, get_warp_matrix

from sapiens_common.files.images import choose_reduction, decode_image
from sapiens_pose.registry import TRANSFORMS

from .loading import is_greyscale


@TRANSFORMS.register_module()
class DecodeTopdownAffine(MMPoseTopdownAffine):
    """mmpose's transform, which also decodes what ``LoadPersonImage(defer=True)`` left encoded.

    A photo is decoded at a half, a quarter or an eighth where the person's box then still has the size
    of the model's input or more, and mirrored by the same warp.

    Args:
        input_size: (width, height) of the model's input in pixels.
        use_udp: Whether the warp is that of Unbiased Data Processing.
        cubic: Whether boxes smaller than the input are enlarged by cubic instead of linear interpolation,
            as Sapiens2 does.
        hide_outside: Whether keypoints outside the input count as not labelled, as Sapiens2 has it; else those
            whose Gaussian reaches into the heatmap are learned.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        use_udp: bool = False,
        cubic: bool = False,
        hide_outside: bool = False,
    ) -> None:
        super().__init__(input_size, use_udp)
        self.cubic = cubic
        self.hide_outside = hide_outside

    def transform(self, results: dict) -> dict | None:
        """Decode and warp; None for a greyscale photo where the dataset wants none.

        Raises:
            ValueError: The file cannot be decoded.
        """
        encoded, image = results.pop('encoded', None), results['img']
        results['img'] = []  # upstream warps no image, only the keypoints
        results = super().transform(results)
        if self.hide_outside:
            points, visible = results['transformed_keypoints'], results['keypoints_visible']
            inside = ((points >= 0) & (points <= np.subtract(self.input_size, 1))).all(axis=-1)
            if visible.ndim == 3:  # with mmpose's loss weights
                inside = inside[..., None]
            results['keypoints_visible'] = np.where(inside, visible, 0).astype(visible.dtype)
        width, height = self.input_size
        box_width, box_height = results['input_scale']
        matrix = self._warp(results)
        if encoded is not None:
            reduction = choose_reduction((box_height, box_width), (height, width))
            image = decode_image(encoded, results['img_path'], reduction)
            if results.get('reject_greyscale') and is_greyscale(image):
                return None
            matrix = matrix @ self._from_decoded(results, reduction)
        enlarged = min((width - 1) / box_width, (height - 1) / box_height) >= 1
        flags = cv2.INTER_CUBIC if self.cubic and enlarged else cv2.INTER_LINEAR
        results['img'] = cv2.warpAffine(image, matrix[:2], (width, height), flags=flags)
        return results

    def _warp(self, results: dict) -> np.ndarray:
        """The (3, 3) matrix from the mirrored photo to the input."""
        rotation = results['bbox_rotation'][0] if 'bbox_rotation' in results else 0.0
        make = get_udp_warp_matrix if self.use_udp else get_warp_matrix
        matrix = make(
            results['input_center'], results['input_scale'], rotation, output_size=self.input_size
        )
        return np.vstack([matrix, [0, 0, 1]])

    @staticmethod
    def _from_decoded(results: dict, reduction: int) -> np.ndarray:
        """The (3, 3) matrix from the decoded pixels to the full-size, mirrored photo.

        A decoded pixel covers ``reduction`` pixels, so their centres differ.
        """
        offset = (reduction - 1) / 2
        matrix = np.array([[reduction, 0, offset], [0, reduction, offset], [0, 0, 1]], np.float64)
        direction = results.get('flip_direction') or ''
        height, width = results['ori_shape']
        if direction in ('horizontal', 'diagonal'):
            matrix = np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
        if direction in ('vertical', 'diagonal'):
            matrix = np.array([[1, 0, 0], [0, -1, height - 1], [0, 0, 1]]) @ matrix
        return matrix
