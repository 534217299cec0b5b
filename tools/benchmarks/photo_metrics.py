# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Figures of predictions on photographs: share of correct keypoints, AP, foreground overlap."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from xtcocotools import mask as coco_mask
from xtcocotools.coco import COCO
from xtcocotools.cocoeval import COCOeval

JOINTS = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder',
    'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee',
    'right_knee', 'left_ankle', 'right_ankle',
)  # fmt: skip
"""COCO's 17 points, in COCO's order."""
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
THRESHOLDS = (0.05, 0.1, 0.2)
FEWEST_POINTS = 5
"""People with fewer labelled points do not count."""
# Mean place of the points in the box (x, y in shares of its sides), over the labelled points of the first
# 1900 images of the preset photos, seed 1.
MEAN_POSE = np.array(
    [
        [0.5, 0.187], [0.499, 0.156], [0.502, 0.155], [0.497, 0.152],
        [0.503, 0.152], [0.494, 0.263], [0.504, 0.26], [0.491, 0.355],
        [0.507, 0.356], [0.493, 0.383], [0.511, 0.384], [0.492, 0.528],
        [0.498, 0.527], [0.493, 0.657], [0.502, 0.659], [0.49, 0.846],
        [0.5, 0.844],
    ]
)  # fmt: skip


@dataclass
class Person:
    """One annotated person and what was predicted for it.

    Attributes:
        box: x1, y1, x2, y2 in pixels.
        points: Truth (17, 3): x, y, COCO's visibility.
        predicted: x, y in pixels and score (17, 3).
        annotation: The annotation as it stands in the file.
    """

    box: np.ndarray
    points: np.ndarray
    predicted: np.ndarray
    annotation: dict[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether it has enough labelled points."""
        return int((self.points[:, 2] > 0).sum()) >= FEWEST_POINTS

    def errors(self) -> np.ndarray:
        """Distances over the longer side of the box (17,); NaN where nothing is labelled."""
        away = np.linalg.norm(self.predicted[:, :2] - self.points[:, :2], axis=1)
        side = max(self.box[2] - self.box[0], self.box[3] - self.box[1])
        return np.where(self.points[:, 2] > 0, away / side, np.nan)


def trunk(points: np.ndarray) -> tuple[float, float]:
    """How the trunk of a person with points (17, 3) stands in the image.

    Returns:
        The angle in degrees between the image's vertical and the line from the shoulders to the hips, and how far
        right of the right shoulder the left one is, in lengths of that line. NaN, where one of them has no label.
    """
    left_shoulder, right_shoulder, left_hip, right_hip = (
        point[:2] if point[2] > 0 else np.full(2, np.nan) for point in points[[5, 6, 11, 12]]
    )
    down = (left_hip + right_hip - left_shoulder - right_shoulder) / 2
    length = max(float(np.hypot(*down)), 1e-6)
    lean = float(np.degrees(np.arccos(np.clip(down[1] / length, -1, 1))))
    return lean, float(left_shoulder[0] - right_shoulder[0]) / length


def mean_pose(box: np.ndarray, mean: np.ndarray = MEAN_POSE) -> np.ndarray:
    """The average pose placed into a box: (17, 3), score 1."""
    places = box[:2] + mean * (box[2:] - box[:2])
    return np.column_stack([places, np.ones(17)])


def average(people: list[Person]) -> np.ndarray:
    """Mean place of each point in the box (17, 2), in shares of its sides."""
    shares = []
    for person in people:
        places = (person.points[:, :2] - person.box[:2]) / (person.box[2:] - person.box[:2])
        shares.append(np.where(person.points[:, 2:] > 0, places, np.nan))
    return np.nanmean(shares, axis=0)


def pck(people: list[Person]) -> dict[str, Any]:
    """Share of labelled points within each threshold of the box's longer side.

    Returns:
        ``pck@0.05``, ... over all points; ``people``, ``points``; ``joints``: per name the shares.

    Raises:
        ValueError: Nobody has enough points.
    """
    people = [person for person in people if person.counts]
    if not people:
        raise ValueError(f'no person has {FEWEST_POINTS} or more labelled points')
    errors = np.stack([person.errors() for person in people])
    known = np.isfinite(errors)
    found: dict[str, Any] = {'people': len(people), 'points': int(known.sum())}
    for limit in THRESHOLDS:
        found[f'pck@{limit:g}'] = float((errors[known] <= limit).mean())
    found['joints'] = {
        name: {
            f'pck@{limit:g}': float((errors[known[:, i], i] <= limit).mean())
            for limit in THRESHOLDS
        }
        for i, name in enumerate(JOINTS)
        if known[:, i].any()
    }
    return found


def average_precision(people: list[Person]) -> float:
    """COCO's keypoint AP (OKS 0.50:0.95) over all given people, with the true boxes; in 0..1."""
    annotations, results, images = [], [], {}
    for number, person in enumerate(people, 1):
        image = person.annotation.get('image_id', number)
        images[image] = {'id': image}
        width, height = person.box[2:] - person.box[:2]
        box = [float(v) for v in (*person.box[:2], width, height)]
        annotations.append(
            {
                'id': number,
                'image_id': image,
                'category_id': 1,
                'iscrowd': int(person.annotation.get('iscrowd', 0)),
                'area': float(person.annotation.get('area', width * height)),
                'bbox': box,
                'keypoints': person.points.ravel().tolist(),
                'num_keypoints': int((person.points[:, 2] > 0).sum()),
            }
        )
        results.append(
            {
                'image_id': image,
                'category_id': 1,
                'keypoints': person.predicted.ravel().tolist(),
                'score': float(person.predicted[:, 2].mean()),
            }
        )
    truth = COCO()
    truth.dataset = {
        'images': list(images.values()),
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'person'}],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(results), 'keypoints', SIGMAS)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[0])


def person_mask(annotation: dict[str, Any], height: int, width: int) -> np.ndarray | None:
    """Mask bool (H, W) of an annotation with polygons or run lengths, or None without any."""
    shape = annotation.get('segmentation')
    if not shape:
        return None
    if isinstance(shape, dict):
        if isinstance(shape['counts'], list):
            shape = coco_mask.frPyObjects(shape, height, width)
        return coco_mask.decode(shape).astype(bool)
    mask = np.zeros((height, width), np.uint8)
    for polygon in shape:
        points = np.round(np.reshape(polygon, (-1, 2))).astype(np.int32)
        cv2.fillPoly(mask, [points], 1)
    return mask.astype(bool)


@dataclass
class Overlap:
    """Pixels that a prediction and the truth share, over several images."""

    both: int = 0
    either: int = 0

    def add(self, predicted: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> None:
        """Count one image's masks bool (H, W) where ``valid``."""
        self.both += int((predicted & truth & valid).sum())
        self.either += int(((predicted | truth) & valid).sum())

    @property
    def iou(self) -> float:
        """Intersection over union."""
        return self.both / max(self.either, 1)
