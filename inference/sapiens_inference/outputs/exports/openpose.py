# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""OpenPose JSON: BODY_25 as OpenPose writes it, and the form that ControlNet's and ComfyUI's nodes read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sapiens_inference.outputs.writers import write_json

from .openpose_layouts import BODY_18, BODY_25, FACE_68, FACE_70, Choice, convert_points, hand_21
from .registry import register_export
from .run_folder import Person, RunFolder
from .wholebody import with_face68
from .writing import stem_path

_HANDS = {'hand_left_keypoints_2d': hand_21('left'), 'hand_right_keypoints_2d': hand_21('right')}


def _flat(points: np.ndarray, scores: np.ndarray, binary: bool, threshold: float) -> list[float]:
    """x, y, confidence of each point in a row; zeros for one that is missing, OpenPose's sign for it."""
    rows = []
    for (x, y), score in zip(points.tolist(), scores.tolist(), strict=True):
        if not np.isfinite(x) or (binary and score < threshold):
            rows += [0.0, 0.0, 0.0]
        else:
            confidence = 1.0 if binary else min(max(score, 0.0), 1.0)
            rows += [round(x, 3), round(y, 3), round(confidence, 4)]
    return rows


def _people(
    people: Sequence[Person],
    names: Sequence[str],
    body: Sequence[Choice],
    face: Sequence[Choice],
    binary: bool,
) -> list[dict[str, Any]]:
    layouts = {'pose_keypoints_2d': body, 'face_keypoints_2d': face, **_HANDS}
    found = []
    for person in people:
        entry: dict[str, Any] = {
            'person_id': [-1 if person.track_id is None else person.track_id],
        }
        person, known_names = with_face68(person, names)
        for key, layout in layouts.items():
            points, scores = convert_points(person, known_names, layout)
            known = np.isfinite(points[:, 0]).any()
            entry[key] = _flat(points, scores, binary, threshold=0.3) if known else []
        found.append(entry)
    return found


@register_export('openpose', needs=('pose',))
def write_openpose(run: RunFolder, out: Path) -> list[Path]:
    """OpenPose JSON, one ``<stem>_keypoints.json`` per image or frame: BODY_25, hands, 70 face points."""
    written = []
    for record in run.records(pixels=False):
        if record.people is None:
            continue
        people = _people(record.people, run.keypoint_names, BODY_25, FACE_70, binary=False)
        path = stem_path(out, record.stem, '_keypoints.json')
        written.append(write_json(path, {'version': 1.3, 'people': people}))
    return written


@register_export('dwpose', needs=('pose',))
def write_dwpose(run: RunFolder, out: Path) -> list[Path]:
    """DWPose JSON as ComfyUI's nodes read it: a list of frames with 18 body points, hands, face.

    An image is a list of one frame, a video is one list. Coordinates are pixels of the canvas; a point below
    a score of 0.3 is left out (zeros), as those nodes draw whatever is not zero.
    """
    written = []
    frames: dict[str, list[dict[str, Any]]] = {}
    for record in run.records():
        if record.people is None:
            continue
        height, width = record.size()
        people = _people(record.people, run.keypoint_names, BODY_18, FACE_68, binary=True)
        entry = {'people': people, 'canvas_height': height, 'canvas_width': width}
        frames.setdefault(record.name, []).append(entry)
        if record.video is None:
            written.append(
                write_json(stem_path(out, record.name, '.json'), frames.pop(record.name))
            )
    for name, content in frames.items():
        written.append(write_json(stem_path(out, name, '.json'), content))
    return written
