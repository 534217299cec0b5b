#!/usr/bin/env python
# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""When a pose or multitask model fails: by kind of person, under changes of the picture, and where nobody is.

    python tools/benchmarks/conditions.py sapiens_tiny/multitask_synthetic --annotations COCO.json --images DIR

PCK@0.1 of the boxes given, as tools/benchmarks/real.py measures it, beside that of the average pose. For
places without people, how sure the model is of the keypoints that it finds all the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _bootstrap
from benchmarks.photo_metrics import Person, mean_pose, pck, trunk
from benchmarks.real import box_options, build, people_by_image, to_coco, xyxy

SMALL = 64  # pixels of the box's longer side
DRAWN = 0.3  # score from which the demo draws a point


@dataclass
class Photo:
    """A picture (H, W, 3) uint8 BGR, its people's boxes (N, 4) xyxy and points (N, 17, 3)."""

    pixels: np.ndarray
    boxes: np.ndarray
    points: np.ndarray


def read_photos(annotations: str, images: str) -> list[Photo]:
    """The pictures of a COCO file that have people."""
    from sapiens_common.files.images import read_image
    from sapiens_common.files.text import read_json

    data = read_json(annotations)
    people = people_by_image(data)
    return [
        Photo(
            read_image(str(Path(images) / image['file_name'])),
            np.array([xyxy(one['bbox']) for one in people[image['id']]], float),
            np.array([np.reshape(one['keypoints'], (17, 3)) for one in people[image['id']]], float),
        )
        for image in data['images']
        if image['id'] in people
    ]


def kinds_of(points: np.ndarray, box: np.ndarray, others: np.ndarray) -> list[str]:
    """Kinds of person that one with points (17, 3) and a box (4,) is, beside others' boxes (M, 4)."""
    lean, across = trunk(points)
    kinds = []
    if lean < 35:
        kinds.append('upright')
        turned = 'facing' if across > 0.3 else 'from behind' if across < -0.3 else 'from the side'
        kinds.append(f'upright, {turned}')
    elif lean >= 75:
        kinds.append('lying, upside down, or seen from above')
    elif lean >= 35:
        kinds.append('leaning')
    else:
        kinds.append('shoulders or hips not in the picture')
    if max(box[2:] - box[:2]) < SMALL:
        kinds.append(f'smaller than {SMALL} pixels')
    if any(_overlap(box, other) > 0.1 for other in others):
        kinds.append('overlapping another box')
    return kinds


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Share of box ``a`` that box ``b`` covers."""
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    return float(sides.prod() / (a[2:] - a[:2]).prod())


def turn(photo: Photo, quarters: int) -> Photo:
    """A photo turned counterclockwise by quarters of a circle."""
    pixels, boxes, points = photo.pixels, photo.boxes, photo.points.copy()
    for _ in range(quarters):
        width = pixels.shape[1]
        pixels = np.ascontiguousarray(np.rot90(pixels))
        boxes = np.stack(
            [boxes[:, 1], width - boxes[:, 2], boxes[:, 3], width - boxes[:, 0]], axis=1
        )
        points[..., :2] = np.stack([points[..., 1], width - 1 - points[..., 0]], axis=-1)
    return Photo(pixels, boxes, points)


def shrink(photo: Photo, side: float) -> Photo:
    """A photo in which the largest person's box has this many pixels on its longer side, at most."""
    factor = min(1.0, side / (photo.boxes[:, 2:] - photo.boxes[:, :2]).max())
    height, width = (max(1, round(n * factor)) for n in photo.pixels.shape[:2])
    pixels = cv2.resize(photo.pixels, (width, height), interpolation=cv2.INTER_AREA)
    scale = np.array([width / photo.pixels.shape[1], height / photo.pixels.shape[0]])
    points = photo.points.copy()
    points[..., :2] = (points[..., :2] + 0.5) * scale - 0.5
    return Photo(pixels, photo.boxes * np.tile(scale, 2), points)


def _recoloured(photo: Photo, change: Callable[[np.ndarray], np.ndarray]) -> Photo:
    return Photo(change(photo.pixels).clip(0, 255).astype(np.uint8), photo.boxes, photo.points)


CHANGES: dict[str, Callable[[Photo], Photo]] = {
    'as it is': lambda photo: photo,
    'turned by 90 degrees': lambda photo: turn(photo, 1),
    'upside down': lambda photo: turn(photo, 2),
    'largest person 64 pixels': lambda photo: shrink(photo, 64),
    'largest person 32 pixels': lambda photo: shrink(photo, 32),
    'largest person 16 pixels': lambda photo: shrink(photo, 16),
    'grey': lambda photo: _recoloured(photo, lambda p: p.mean(-1, keepdims=True).repeat(3, -1)),
    'a quarter of the light': lambda photo: _recoloured(photo, lambda p: p / 4.0),
    'noise of 30 grey levels': lambda photo: _recoloured(
        photo, lambda p: p + np.random.default_rng(0).normal(0, 30, p.shape)
    ),
}
"""Changes of the picture, by what they are called in the table."""


def predict(inferencer: Any, photo: Photo) -> list[Person]:
    """The people of one photo with what was found for them."""
    (result,) = inferencer([photo.pixels], boxes=[photo.boxes], **box_options(inferencer))
    if not result.ok:
        raise ValueError(f'a photo of {photo.pixels.shape}: {result.error}')
    pose = result.by_task()['pose']
    found = to_coco(pose.keypoints, pose.scores).astype(float)
    return [Person(*one) for one in zip(photo.boxes, photo.points, found, strict=True)]


def by_kind(photos: list[Photo], people: list[list[Person]]) -> dict[str, list[Person]]:
    """The people of all photos by their kinds."""
    found: dict[str, list[Person]] = {}
    for photo, own in zip(photos, people, strict=True):
        for number, person in enumerate(own):
            others = np.delete(photo.boxes, number, axis=0)
            for kind in kinds_of(person.points, person.box, others):
                found.setdefault(kind, []).append(person)
    return found


def empty_place(photo: Photo, random: np.random.Generator) -> np.ndarray | None:
    """A box (1, 4) with the size of the photo's first person where nobody is, or None if none was found."""
    size = photo.boxes[0, 2:] - photo.boxes[0, :2]
    room = np.array(photo.pixels.shape[1::-1]) - size
    for _ in range(50):
        corner = random.uniform(0, 1, 2) * np.maximum(room, 0)
        box = np.concatenate([corner, corner + size])
        if not any(_overlap(box, other) > 0.02 for other in photo.boxes):
            return box[None]
    return None


def measure(inferencer: Any, photos: list[Photo]) -> dict[str, Any]:
    """PCK@0.1 of the model and the average pose by kind and by change; scores where nobody is."""
    figures: dict[str, Any] = {'kinds': {}, 'changes': {}}
    found = {
        name: [predict(inferencer, change(photo)) for photo in photos]
        for name, change in CHANGES.items()
    }
    plain = found['as it is']
    for kind, people in sorted(by_kind(photos, plain).items(), key=lambda one: -len(one[1])):
        if any(person.counts for person in people):
            figures['kinds'][kind] = _row(people)
    for name, predicted in found.items():
        figures['changes'][name] = _row([person for own in predicted for person in own])
    random = np.random.default_rng(0)
    empty = [
        Photo(photo.pixels, box, np.zeros((1, 17, 3)))
        for photo in photos
        if (box := empty_place(photo, random)) is not None
    ]
    figures['sure'] = {
        'of people': _sure([person for own in plain for person in own]),
        'where nobody is': _sure([person for one in empty for person in predict(inferencer, one)]),
    }
    return figures


def _row(people: list[Person]) -> dict[str, float]:
    means = [Person(person.box, person.points, mean_pose(person.box)) for person in people]
    found = pck(people)
    row = {'people': found['people'], 'model': found['pck@0.1']}
    return {**row, 'average_pose': pck(means)['pck@0.1']}


def _sure(people: list[Person]) -> dict[str, float]:
    scores = np.array([person.predicted[:, 2] for person in people]).reshape(-1, 17)
    drawn = float((scores > DRAWN).mean()) if len(scores) else float('nan')
    return {'boxes': len(scores), 'drawn': drawn}


def show(figures: dict[str, Any]) -> None:
    """Print the tables."""
    for title, rows in (('kind', figures['kinds']), ('change', figures['changes'])):
        print(f'{title:40}{"people":>8}{"PCK@0.1":>9}{"average pose":>14}')
        for name, row in rows.items():
            print(f'{name:40}{row["people"]:8}{row["model"]:9.3f}{row["average_pose"]:14.3f}')
    for name, row in figures['sure'].items():
        print(f'{name + ", points above 0.3":40}{row["boxes"]:8}{row["drawn"]:9.3f}')


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', help='name or config of a pose or multitask model')
    parser.add_argument('weights', nargs='?', help='checkpoint; default: the published one')
    parser.add_argument('--annotations', required=True, help='COCO file with 17 keypoints')
    parser.add_argument('--images', required=True, help='folder of its images')
    parser.add_argument('--json', metavar='FILE', help='also write the figures here')
    parser.add_argument('--device', default=None)
    args = parser.parse_args(arguments)
    figures = measure(build(args), read_photos(args.annotations, args.images))
    show(figures)
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1) + '\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    _bootstrap.run(main)
