# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What MMLab's data samples hold, as pictures: the targets of training, or predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sapiens_common.layouts.body_parts import BODY_PART_PALETTE
from sapiens_common.layouts.style import metainfo_style, skeleton_style

from .dense import colour_picture, depth_picture, normal_picture
from .skeleton import SkeletonStyle, draw_people

_KINDS = ('depth', 'point', 'normal', 'albedo', 'matting', 'alpha')

_MAPS = ('mask', 'sem_seg', *(f'{kind}_map' for kind in _KINDS))


def sample_pictures(
    image: np.ndarray, sample: Any, meta: Mapping[str, Any], kind: str = 'gt'
) -> list[tuple[str, np.ndarray]]:
    """Titled pictures of keypoints, body parts, depth, points, normals, albedo and mattes.

    Args:
        image: uint8 (H, W, 3) BGR.
        sample: A data sample; maps of another size are stretched over the image.
        meta: Metainfo of its data set: names of links, colours of classes.
        kind: ``gt`` for the targets, ``pred`` for predictions.

    Returns:
        Those that the sample has, uint8 (H, W, 3) BGR.
    """
    found: list[tuple[str, np.ndarray]] = []
    people = getattr(sample, 'gt_instance_labels' if kind == 'gt' else 'pred_instances', None)
    points = getattr(people, 'keypoints', None)
    if people is not None and points is not None:
        scores = people.keypoint_weights if kind == 'gt' else people.keypoint_scores
        found.append(('keypoints', _skeletons(image, np.asarray(points), np.asarray(scores), meta)))
    maps = {
        name: values for name in _MAPS if (values := _field(sample, f'{kind}_{name}')) is not None
    }
    mask = maps['mask'] > 0 if 'mask' in maps else None
    pictures = {}
    if 'sem_seg' in maps:
        palette = np.full((256, 3), 128, np.uint8)
        colors = np.asarray(meta.get('palette') or BODY_PART_PALETTE, np.uint8).reshape(-1, 3)
        palette[: len(colors)] = colors
        pictures['parts'] = palette[maps['sem_seg'].astype(np.uint8)][..., ::-1]
    if 'depth_map' in maps:
        pictures['depth'] = depth_picture(maps['depth_map'], mask)
    if 'point_map' in maps:
        pictures['distance'] = depth_picture(maps['point_map'][2], mask)
    if 'normal_map' in maps:
        pictures['normals'] = normal_picture(np.moveaxis(maps['normal_map'], 0, -1), mask)
    if 'albedo_map' in maps:
        pictures['albedo'] = colour_picture(maps['albedo_map'])
    # The colours of a matting map are multiplied by its alpha.
    if 'matting_map' in maps:
        pictures['matte'] = colour_picture(maps['matting_map'][:3])
    if 'alpha_map' in maps:
        pictures['alpha'] = colour_picture(np.repeat(maps['alpha_map'][None], 3, axis=0))
    return found + [(name, _stretched(picture, image)) for name, picture in pictures.items()]


def _skeletons(
    image: np.ndarray, points: np.ndarray, scores: np.ndarray, meta: Mapping[str, Any]
) -> np.ndarray:
    """People's keypoints (N, K, 2) with scores (N, K) on the image."""
    whole = np.tile([0, 0, image.shape[1], image.shape[0]], (len(points), 1))
    return draw_people(
        image, points, scores, whole, _style(meta, scores.shape[1]), draw_boxes=False
    )


def _style(meta: Mapping[str, Any], count: int) -> SkeletonStyle:
    """The drawing of a data set's layout; dots alone where it names none."""
    if 'keypoint_id2name' not in meta:
        return skeleton_style([''] * count)
    return metainfo_style(meta)


def _field(sample: Any, name: str) -> np.ndarray | None:
    """A map of a sample: (H, W) for one channel, else (C, H, W)."""
    data = getattr(getattr(sample, name, None), 'data', None)
    if data is None:
        return None
    array = np.asarray(data)
    return array[0] if array.shape[0] == 1 else array


def _stretched(picture: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A picture at the size of its image, by the nearest pixel."""
    rows = np.arange(image.shape[0]) * picture.shape[0] // image.shape[0]
    columns = np.arange(image.shape[1]) * picture.shape[1] // image.shape[1]
    return np.ascontiguousarray(picture[rows[:, None], columns])
