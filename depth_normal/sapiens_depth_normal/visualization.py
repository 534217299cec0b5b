# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Predictions beside the truth, with a map of the error."""

import cv2
import numpy as np
from mmengine.structures import BaseDataElement

from sapiens_common.visualization import depth_picture, normal_picture, sheet
from sapiens_common.visualization.dense import BACKGROUND, colour_picture, depth_range

from .evaluation.normal_metric import angles_between
from .geometry import align_depth

WORST_ANGLE = 45.0  # degrees; errors from here on have the last colour
WORST_COLOUR = 0.3  # of 0..1


def comparison(
    image: np.ndarray, sample: BaseDataElement, unit: str = ''
) -> list[tuple[str, np.ndarray]]:
    """Titled pictures of one sample: photo, then truth, prediction and error of each target it has.

    Args:
        image: BGR uint8 (H, W, 3), at the size of the maps.
        sample: With ``gt_mask`` and, for each target, ``gt_<target>_map`` and ``pred_<target>_map``. Depth is
            shown with scale and shift fitted to the truth, the z of points as it is.
        unit: Unit of the true depth, for titles.
    """
    mask = _numpy(sample, 'gt_mask')[0] > 0
    pictures = [('photo', image)]
    if np.count_nonzero(mask) < 2:  # nothing to fit scale and shift to
        return pictures
    if 'pred_depth_map' in sample and 'gt_depth_map' in sample:
        truth, pred = _numpy(sample, 'gt_depth_map')[0], _numpy(sample, 'pred_depth_map')[0]
        pred = align_depth(pred, truth, mask).depth
        pictures += _depth_pictures('depth', truth, pred, mask, unit)
    if 'pred_normal_map' in sample and 'gt_normal_map' in sample:
        truth, pred = (
            _numpy(sample, name).transpose(1, 2, 0) for name in ('gt_normal_map', 'pred_normal_map')
        )
        angles = angles_between(pred.reshape(-1, 3), truth.reshape(-1, 3)).reshape(mask.shape)
        pictures += [
            ('normals, true', normal_picture(truth, mask)),
            ('normals, predicted', normal_picture(pred, mask)),
            (f'error, 0 to {WORST_ANGLE:g} degrees', error_picture(angles, mask, WORST_ANGLE)),
        ]
    if 'pred_point_map' in sample and 'gt_depth_map' in sample:
        truth, pred = _numpy(sample, 'gt_depth_map')[0], _numpy(sample, 'pred_point_map')[2]
        pictures += _depth_pictures('distance', truth, pred, mask, 'm')
    if 'pred_albedo_map' in sample and 'gt_albedo_map' in sample:
        truth, pred = (_numpy(sample, f'{name}_albedo_map') for name in ('gt', 'pred'))
        error = abs(pred - truth).mean(0)
        pictures += [
            ('albedo, true', _colours(truth, mask)),
            ('albedo, predicted', _colours(pred, mask)),
            (f'error, 0 to {WORST_COLOUR:g}', error_picture(error, mask, WORST_COLOUR)),
        ]
    if 'pred_alpha_map' in sample and 'gt_alpha_map' in sample:
        truth, pred = (_numpy(sample, f'{name}_alpha_map') for name in ('gt', 'pred'))
        everywhere = np.ones(mask.shape, bool)
        pictures += [
            ('alpha, true', _colours(truth.repeat(3, 0), everywhere)),
            ('alpha, predicted', _colours(pred.repeat(3, 0), everywhere)),
            ('error, 0 to 1', error_picture(abs(pred - truth)[0], everywhere, 1.0)),
        ]
    return pictures


def _depth_pictures(
    name: str, truth: np.ndarray, pred: np.ndarray, mask: np.ndarray, unit: str
) -> list[tuple[str, np.ndarray]]:
    """Truth, prediction and error of depth maps (H, W), all on the scale of the truth."""
    limits = depth_range(truth, mask)
    worst = max((limits[1] - limits[0]) / 2, 1e-6)
    return [
        (f'{name}, true', depth_picture(truth, mask, limits)),
        (f'{name}, predicted', depth_picture(pred, mask, limits)),
        (
            f'error, 0 to {worst:.2g} {unit}'.rstrip(),
            error_picture(abs(pred - truth), mask, worst),
        ),
    ]


def _colours(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Colours (3, H, W) of 0..1, red first, as a picture; background grey."""
    picture = colour_picture(values)
    picture[~mask] = BACKGROUND
    return picture


def error_picture(error: np.ndarray, mask: np.ndarray, worst: float) -> np.ndarray:
    """Errors (H, W) in the turbo colours, blue for none to red for ``worst`` and above, background grey."""
    levels = (error / worst * 255).clip(0, 255).astype(np.uint8)
    picture = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)
    picture[~mask] = BACKGROUND
    return picture


def comparison_sheet(rows: list[list[tuple[str, np.ndarray]]], height: int = 384) -> np.ndarray:
    """Comparisons of several samples as one picture, a row each.

    Args:
        rows: Results of :func:`comparison`; all with the same number of pictures.
        height: Height of each picture in pixels.
    """
    pictures = []
    for row in rows:
        for title, picture in row:
            width = max(1, round(picture.shape[1] * height / picture.shape[0]))
            pictures.append((title, cv2.resize(picture, (width, height))))
    return sheet(pictures, columns=len(rows[0]))


def _numpy(sample: BaseDataElement, name: str) -> np.ndarray:
    """A map (C, H, W) of a sample, finite: a diverged prediction is to be seen, not to stop the run."""
    return np.nan_to_num(sample.get(name).data.cpu().numpy(), posinf=0.0, neginf=0.0)
