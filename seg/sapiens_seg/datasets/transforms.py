# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading label maps, and mirroring them with left and right swapped."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.datasets.transforms import RandomFlip

from sapiens_common.files.images import read_ids
from sapiens_seg.label_maps import IMPOSSIBLE
from sapiens_seg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadLabels(BaseTransform):
    """Read ``seg_map_path`` and map its values to class ids by the data set's table.

    A sample without ``seg_map_path``, of images to predict, stays as it is.

    Required keys: ``seg_map_path``, ``label_table`` uint8 (256,), ``label_values``, ``seg_fields``.
    Added keys: ``gt_seg_map`` uint8 (H, W); ids of the classes, 255 is ignored; of the image's size where
    that was decoded at a part of it (``reduction``), else of the file's own.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read and map one label file.

        Raises:
            ValueError: The file cannot be read, holds an impossible value, or has another size than
                the image.
        """
        if 'seg_map_path' not in results:
            return results
        path, table = results['seg_map_path'], results['label_table']
        values = read_ids(path)
        if values.shape != tuple(results.get('ori_shape', values.shape)[:2]):
            raise ValueError(
                f'label file {path} is {values.shape}, its image {results.get("img_path")} is '
                f'{results["ori_shape"]} (height, width)'
            )
        labels = cv2.LUT(values, table)
        if (labels == IMPOSSIBLE).any():
            raise ValueError(
                impossible_values_message(path, values, table, results['label_values'])
            )
        if results.get('reduction', 1) > 1:  # the image was decoded at a part of its size
            height, width = results['img_shape']
            labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
        results['gt_seg_map'] = labels
        results['seg_fields'].append('gt_seg_map')
        return results


def impossible_values_message(
    path: str | Path, values: np.ndarray, table: np.ndarray, meaning: str
) -> str:
    """What is wrong with a label file whose values the table does not allow."""
    bad = [int(value) for value in np.unique(values) if table[value] == IMPOSSIBLE]
    allowed = np.flatnonzero(table != IMPOSSIBLE)
    top = int(allowed[allowed < IMPOSSIBLE].max())
    return (
        f'label file {path} holds the values {bad}; label values {meaning!r} allow 0..{top} and 255 '
        "(ignored). Correct the file, or set the data set's values= to what the numbers mean"
    )


@TRANSFORMS.register_module()
class RejectBackground(BaseTransform):
    """Drop training samples that show hardly anything but background; the data set then draws another.

    Required keys: ``gt_seg_map`` uint8 (H, W).

    Args:
        min_share: Smallest share of the image that must belong to a part (neither 0 nor 255).
    """

    def __init__(self, min_share: float = 0.01) -> None:
        self.min_share = min_share

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """The sample, or None."""
        labels = results['gt_seg_map']
        return results if ((labels > 0) & (labels < 255)).mean() >= self.min_share else None


@TRANSFORMS.register_module()
class SwapFlip(RandomFlip):
    """MMSegmentation's ``RandomFlip`` across the vertical axis, with left and right classes swapped.

    The pairs come with the sample, from its data set's vocabulary.

    Required keys: ``img``, ``swap_pairs`` (pairs of ids, may be empty); further those of upstream.

    Args:
        prob: Chance to mirror a sample.
    """

    def __init__(self, prob: float = 0.5) -> None:
        super().__init__(prob=prob, direction='horizontal')

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Mirror with probability ``prob``.

        Raises:
            ValueError: The sample tells no pairs.
        """
        if 'swap_pairs' not in results:
            raise ValueError(
                f'SwapFlip, {results.get("img_path")}: the sample has no swap_pairs; read it with '
                'sapiens_seg.BodyPartDataset'
            )
        self.swap_seg_labels = results['swap_pairs'] or None
        return super().transform(results)
