# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""COCO-style person annotations in the Humans-5K layout."""

from __future__ import annotations

from typing import Any

import numpy as np

GROUP_IDS: dict[str, list[int]] = {
    'body': [0, 1, 2, 3, 4, 5, 6, 7, 8, 62, 41, 9, 10, 11, 12, 13, 14],
    'foot': list(range(15, 21)),
    'face': list(range(70, 308)),
    'left_hand': list(range(42, 62)),
    'right_hand': list(range(21, 41)),
}
"""Keypoint ids of the groups that an annotation repeats; body in the order of COCO."""

_COPY = {
    'keypoints': 'body',
    'foot_kpts': 'foot',
    'face_kpts': 'face',
    'lefthand_kpts': 'left_hand',
    'righthand_kpts': 'right_hand',
}


def make_annotation(xy: np.ndarray, flags: np.ndarray, mask: np.ndarray) -> dict[str, Any] | None:
    """Annotation of one person, without ids.

    Args:
        xy: Keypoints in pixels (308, 2).
        flags: COCO visibility (308,): 0 outside, 1 hidden, 2 visible.
        mask: Pixels of the person that are seen (H, W).

    Returns:
        The annotation, or None for a person of whom fewer than 16 pixels or no keypoint is in the image.
    """
    ys, xs = np.nonzero(mask)
    if len(xs) < 16 or not (flags > 0).any():
        return None
    x0, y0, x1, y1 = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    flat = [0.0] * (3 * len(flags))
    flat[0::3] = np.round(xy[:, 0], 2).tolist()
    flat[1::3] = np.round(xy[:, 1], 2).tolist()
    flat[2::3] = [int(v) for v in flags]
    out: dict[str, Any] = {
        'category_id': 1,
        'iscrowd': 0,
        'bbox': [x0, y0, x1 - x0, y1 - y0],
        'area': len(xs),
        'num_keypoints': int((flags > 0).sum()),
        'goliath_wholebody_kpts': flat,
    }
    for key, group in _COPY.items():
        out[key] = [v for i in GROUP_IDS[group] for v in flat[3 * i : 3 * i + 3]]
    for key, group in (
        ('foot', 'foot'),
        ('face', 'face'),
        ('lefthand', 'left_hand'),
        ('righthand', 'right_hand'),
    ):
        out[f'{key}_valid'] = bool((flags[GROUP_IDS[group]] > 0).any())
    return out


def assemble(records: list[dict[str, Any]], info: dict[str, Any]) -> dict[str, Any]:
    """Join per-image records into one COCO file.

    Args:
        records: ``image`` and ``annotations`` of each image, in the order of the file.
        info: Extra fields for ``info``.

    Returns:
        The COCO dictionary; ids count from 1.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, record in enumerate(records, 1):
        images.append({'id': number, **record['image']})
        for annotation in record['annotations']:
            annotations.append({'id': len(annotations) + 1, 'image_id': number, **annotation})
    groups = {f'{name}_keypoint_ids': ids for name, ids in GROUP_IDS.items()}
    return {
        'info': {**info, 'goliath_info': groups},
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'person'}],
    }
