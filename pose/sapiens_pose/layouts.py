# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoint layouts by name (308, 133, 17, or another that mmpose ships), and conversion between them."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import mmpose
import numpy as np
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from sapiens_common.layouts.goliath308 import goliath308_metainfo


def upstream_metainfo(name: str) -> dict[str, str]:
    """Metainfo file that mmpose ships, by its full path.

    Upstream's own datasets name it relative to the current directory, which works with a warning only.

    Raises:
        ValueError: mmpose ships no such layout.
    """
    path = Path(mmpose.__file__).parent / f'.mim/configs/_base_/datasets/{name}.py'
    if not path.is_file():
        raise ValueError(
            f'layout {name!r} is neither goliath nor one that mmpose ships, such as coco_wholebody or coco'
        )
    return {'from_file': str(path)}


def keypoint_names(layout: str) -> list[str]:
    """Names of a layout's keypoints in order.

    Args:
        layout: ``goliath`` (308), ``coco_wholebody`` (133), ``coco`` (17), or another that mmpose ships.

    Raises:
        ValueError: Unknown layout.
    """
    return list(layout_metainfo(layout)['keypoint_id2name'].values())


@cache
def layout_metainfo(layout: str) -> dict[str, Any]:
    """Parsed metainfo of a layout by name.

    Raises:
        ValueError: Unknown layout.
    """
    if layout == 'goliath':
        return parse_pose_metainfo(goliath308_metainfo())
    return parse_pose_metainfo(upstream_metainfo(layout))


def match_names(source: Sequence[str], target: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (source id, target id) of equally named keypoints, in the order of the target.

    Raises:
        ValueError: No name is shared.
    """
    ids = {name: index for index, name in enumerate(source)}
    pairs = [(ids[name], index) for index, name in enumerate(target) if name in ids]
    if not pairs:
        raise ValueError(
            f'no keypoint name is shared between {list(source)[:4]}... and {list(target)[:4]}...; '
            'rename the keypoints in the metainfo of your dataset'
        )
    return pairs


def convert_keypoints(
    keypoints: np.ndarray, scores: np.ndarray, target: str, source: str = 'goliath'
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Bring keypoints from one layout to another by name.

    308 to 17 is complete. 308 to 133 has 53 points: the 68 face points, the 2 hand roots and 10 more
    finger joints have no point of the same name, and are not guessed.

    Args:
        keypoints: (..., K, 2).
        scores: (..., K).
        target: Layout to convert to, see :func:`keypoint_names`.
        source: Layout of the input.

    Returns:
        (..., T, 2) keypoints with NaN and (..., T) scores with 0 where the source has no such point, and
        the names of those points.

    Raises:
        ValueError: K is not that of the source; no name is shared.
    """
    source_names, target_names = keypoint_names(source), keypoint_names(target)
    if keypoints.shape[-2:] != (len(source_names), 2):
        raise ValueError(
            f'layout {source} has {len(source_names)} keypoints (x, y), got shape {keypoints.shape}'
        )
    pairs = np.array(match_names(source_names, target_names))
    shape = (*keypoints.shape[:-2], len(target_names))
    # Whole pixels cannot say NaN.
    converted = np.full((*shape, 2), np.nan, np.result_type(keypoints, np.float16))
    converted_scores = np.zeros(shape, scores.dtype)
    converted[..., pairs[:, 1], :] = keypoints[..., pairs[:, 0], :]
    converted_scores[..., pairs[:, 1]] = scores[..., pairs[:, 0]]
    mapped = set(pairs[:, 1].tolist())
    return (
        converted,
        converted_scores,
        [name for index, name in enumerate(target_names) if index not in mapped],
    )
