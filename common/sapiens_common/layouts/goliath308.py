# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The 308-keypoint layout as data: names, groups, flip partners, sigmas, colours, skeleton."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

GROUPS = ('body', 'foot', 'face', 'left_hand', 'right_hand')
"""Groups that the metric reports, in the order of the paper's table."""
NUM_RAW_KEYPOINTS = 344
NUM_SAM3D_BODY_KEYPOINTS = 70  # the first ones of the 308

# First and one past the last id of each part of the face.
_FACE_PARTS = (
    ('face, middle line', 70, 78),
    ('right eyebrow', 78, 87),
    ('left eyebrow', 87, 96),
    ('left upper eyelid', 96, 120),
    ('right upper eyelid', 120, 144),
    ('left lower eyelid', 144, 161),
    ('right lower eyelid', 161, 178),
    ('nose', 178, 188),
    ('outer lips', 188, 204),
    ('inner lips', 204, 220),
    ('left ear', 220, 246),
    ('right ear', 246, 272),
    ('left iris', 272, 281),
    ('right iris', 281, 290),
    ('left pupil', 290, 299),
    ('right pupil', 299, 308),
)


@cache
def load_goliath308() -> dict[str, Any]:
    """Content of ``data/goliath308.json``: 308 keypoints, 65 links, and the raw 344-point order."""
    text = files('sapiens_common').joinpath('data/goliath308.json').read_text(encoding='utf-8')
    return json.loads(text)


@cache
def face_parts() -> dict[str, tuple[str, ...]]:
    """Names of the keypoints of each part of the face, in the order of the layout."""
    names = [point['name'] for point in load_goliath308()['keypoints']]
    return {part: tuple(names[start:stop]) for part, start, stop in _FACE_PARTS}


@cache
def links_among(names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """The layout's links between these keypoints, as pairs of positions in ``names``."""
    ids = {name: index for index, name in enumerate(names)}
    links = [link['link'] for link in load_goliath308()['skeleton']]
    return tuple((ids[a], ids[b]) for a, b in links if a in ids and b in ids)


@cache
def goliath308_metainfo() -> dict[str, Any]:
    """Metainfo of the 308 keypoints, unparsed, from the shared table."""
    table = load_goliath308()
    keypoints = table['keypoints']
    return {
        'dataset_name': 'goliath',
        'keypoint_info': {
            point['id']: {
                'name': point['name'],
                'id': point['id'],
                'color': point['color'],
                'type': point['half'] or '',
                'swap': point['swap'] or '',
            }
            for point in keypoints
        },
        'skeleton_info': {
            index: {'link': tuple(link['link']), 'id': index, 'color': link['color']}
            for index, link in enumerate(table['skeleton'])
        },
        'joint_weights': [1.0] * len(keypoints),
        'sigmas': [point['sigma'] for point in keypoints],
    }


@cache
def sam3d_body_metainfo() -> dict[str, Any]:
    """Metainfo of the 70 keypoints that SAM 3D Body annotates: body, feet, hands and seven more."""
    whole, count = goliath308_metainfo(), NUM_SAM3D_BODY_KEYPOINTS
    points = {index: whole['keypoint_info'][index] for index in range(count)}
    names = {point['name'] for point in points.values()}
    links = [link for link in whole['skeleton_info'].values() if set(link['link']) <= names]
    return {
        'dataset_name': 'sam3d_body',
        'keypoint_info': points,
        'skeleton_info': {index: {**link, 'id': index} for index, link in enumerate(links)},
        'joint_weights': whole['joint_weights'][:count],
        'sigmas': whole['sigmas'][:count],
    }


@cache
def group_ids() -> dict[str, list[int]]:
    """Ids of the 308 keypoints per group of :data:`GROUPS`; 7 more belong to none of them."""
    keypoints = load_goliath308()['keypoints']
    return {group: [p['id'] for p in keypoints if p['group'] == group] for group in GROUPS}


@cache
def kept_raw_ids() -> np.ndarray:
    """The 308 of the 344 raw annotation ids that are not teeth, in the order of the layout."""
    raw = load_goliath308()['annotation_format']
    kept = [index for index in range(NUM_RAW_KEYPOINTS) if index not in set(raw['dropped_ids'])]
    return np.array(kept)


def drop_teeth(keypoints: np.ndarray) -> np.ndarray:
    """The 308 layout's points (..., 308, D) of raw annotations (..., 344, D).

    Raises:
        ValueError: The input does not hold 344 points.
    """
    if keypoints.shape[-2] != NUM_RAW_KEYPOINTS:
        raise ValueError(f'expected {NUM_RAW_KEYPOINTS} raw keypoints, got {keypoints.shape[-2]}')
    return keypoints[..., kept_raw_ids(), :]
