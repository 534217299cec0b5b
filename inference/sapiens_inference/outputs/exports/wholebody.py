# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The 133 points of COCO-WholeBody, also from models with 308: the face's 68 are inferred then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sapiens_common.files.boxes import PERSON_CATEGORY
from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_inference.outputs.face68 import infer_face68

from .coco import VISIBLE_SCORE, box_xywh, write_annotations
from .openpose_layouts import COCO_17, FACE_68, FEET, Choice, convert_points, hand_21
from .registry import register_export
from .run_folder import Person, Record, RunFolder

GROUPS: dict[str, tuple[Choice, ...]] = {
    'keypoints': COCO_17,
    'foot_kpts': FEET,
    'face_kpts': FACE_68,
    'lefthand_kpts': hand_21('left'),
    'righthand_kpts': hand_21('right'),
}
"""Keys of an annotation, in the order of the 133 points."""


@cache
def _names_308() -> list[str]:
    return [point['name'] for point in load_goliath308()['keypoints']]


def with_face68(person: Person, names: Sequence[str]) -> tuple[Person, list[str]]:
    """A person of the 308 layout with the 68 face points added; others stay as they are.

    Returns:
        The person, and the names of the points.
    """
    if list(names) != _names_308():
        return person, list(names)
    points, scores = infer_face68(person.keypoints, person.scores)
    return replace(
        person,
        keypoints=np.concatenate([person.keypoints, points]),
        scores=np.concatenate([person.scores, scores]),
    ), [*names, *(name for choice in FACE_68 for name in choice[0])]


def _annotation(person: Person, names: Sequence[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        'category_id': PERSON_CATEGORY,
        'bbox': box_xywh(person),
        'area': float(np.prod(box_xywh(person)[2:])),
        'iscrowd': 0,
        'segmentation': [],
    }
    person, known_names = with_face68(person, names)
    every: list[float] = []
    for key, layout in GROUPS.items():
        points, scores = convert_points(person, known_names, layout)
        there = np.isfinite(points[:, 0]) & (scores >= VISIBLE_SCORE)
        own = [any(set(wanted) <= set(names) for wanted in choices[:1]) for choices in layout]
        flags = np.where(there, np.where(own, 2, 1), 0)
        rows = np.column_stack([np.where(there[:, None], points, 0).round(3), flags])
        entry[key] = rows.ravel().tolist()
        entry['num_keypoints' if key == 'keypoints' else key.replace('kpts', 'valid')] = (
            int(there.sum()) if key == 'keypoints' else bool(there.any())
        )
        every += scores.round(4).tolist()
    entry['scores'] = every
    if person.track_id is not None:
        entry['attributes'] = {'track_id': person.track_id}
    return entry


@register_export('coco_wholebody', needs=('pose',))
def write_wholebody(run: RunFolder, out: Path) -> list[Path]:
    """COCO-WholeBody annotations: 17, feet, face and hands in five keys, 133 points (``annotations.json``).

    Visibility is 2 for points that the model has, 1 for those that were inferred (from 308 points the face's
    68) or for which another stands in (roots of hands, knuckles), 0 for those below a score of 0.3. ``scores`` lists
    all 133.
    """

    def describe(record: Record) -> list[dict[str, Any]]:
        return [_annotation(person, run.keypoint_names) for person in record.people or []]

    category = {'id': PERSON_CATEGORY, 'name': 'person', 'supercategory': 'person'}
    return [write_annotations(run, out, describe, category, 'visibility 1: inferred from others')]
