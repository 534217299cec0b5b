# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""People's boxes in JSON files and arrays: readers and checks."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from .text import read_json

PERSON_CATEGORY = 1
"""COCO's category id of a person, in JSON files."""


def check_boxes(value: Any, label: object) -> np.ndarray:
    """Bring boxes to float32 (N, 5): x1, y1, x2, y2, score.

    Raises:
        ValueError: Another shape, a value that is not finite, or a box without area.
    """
    try:
        if not isinstance(value, np.ndarray):
            # Rows with and without a score may stand side by side.
            rows = [value] if len(value) and np.isscalar(value[0]) else value
            value = [[*row, 1.0] if len(row) == 4 else list(row) for row in rows]
        array = np.asarray(value if len(value) else np.zeros((0, 4)), dtype=np.float32)
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(
            f'{label}: expected boxes of 4 or 5 numbers as x1, y1, x2, y2[, score], got '
            f'{reprlib.repr(value)}'
        ) from error
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[1] not in (4, 5):
        raise ValueError(
            f'{label}: expected boxes of shape (N, 4) or (N, 5) as x1, y1, x2, y2[, score], got '
            f'shape {array.shape}'
        )
    if array.shape[1] == 4:
        array = np.concatenate([array, np.ones((len(array), 1), np.float32)], axis=1)
    if not np.isfinite(array[:, 4]).all():
        raise ValueError(f'{label}: the scores {array[:5, 4].tolist()} are not all finite numbers')
    inside = array[:, :4] % 1  # 0 for whole pixels
    if inside.any() and array[:, :4].min() >= 0 and array[:, :4].max() <= 1:
        raise ValueError(
            f'{label}: the boxes {array[:5, :4].tolist()} lie in one pixel; expected pixels, not shares of the '
            "image's sides"
        )
    bad = ~np.isfinite(array).all(1) | (array[:, 2] <= array[:, 0]) | (array[:, 3] <= array[:, 1])
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f'{label}: box {first} is {array[first, :4].tolist()}; expected finite x1, y1, x2, y2 '
            'in pixels with x1 < x2 and y1 < y2 (COCO files hold x, y, width, height instead)'
        )
    return array


def read_boxes_json(path: str | Path) -> dict[str, list]:
    """Read boxes by image name.

    Four forms are known: COCO detections (a list of ``image_id, bbox, score, category_id``), COCO
    annotations (``images`` and ``annotations``), a mapping from image name to a list of
    ``[x1, y1, x2, y2]`` or ``[x1, y1, x2, y2, score]``, and this suite's own pose output. COCO boxes
    are x, y, width, height; only persons count (the category called person, else category 1), and others
    are counted in a warning. Annotated boxes are clipped to the image and crowds are left out, as
    upstream's COCO datasets do, detections are taken as they are.

    Returns:
        Rows of x1, y1, x2, y2[, score], by file name or by image id as text; not yet checked, so
        that a bad box costs its own image only. Images that COCO annotations list without a person
        have no rows.

    Raises:
        ValueError: The file is missing, no JSON, or of another form.
    """
    content = read_json(path)
    if isinstance(content, list):
        return with_base_names(_from_detections(content, path))
    if not isinstance(content, dict):
        raise ValueError(
            f'boxes {path}: expected COCO detections, COCO annotations, or a mapping from image names '
            f'to lists of x1, y1, x2, y2, got {type(content).__name__}'
        )
    if 'annotations' in content and 'images' in content:
        return with_base_names(_from_annotations(content, path))
    for part, other in (('annotations', 'images'), ('images', 'annotations')):
        if part in content:
            raise ValueError(
                f'boxes {path}: it has {part} and no {other}, COCO annotations need both'
            )
    with _naming(path, 'this pose output'):
        if 'people' in content:
            return {content['source']['name']: _rows_of(content['people'])}
        if 'frames' in content:
            name = content['video']['name']
            frames = content['frames']
            return {f'{name}/{frame["frame"]}': _rows_of(frame['people']) for frame in frames}
    return with_base_names(content)


def with_base_names(boxes: Mapping[str, Any]) -> dict[str, Any]:
    """Boxes by path, also by the last part of each path where that leaves no doubt which is meant.

    The images may lie in another folder than where they were when the boxes were made.
    """
    names = Counter(Path(path).name for path in boxes)
    short = {Path(path).name: value for path, value in boxes.items() if names[Path(path).name] == 1}
    return {**short, **boxes}


@contextmanager
def _naming(path: str | Path, part: str) -> Iterator[None]:
    """Turn what goes wrong in a part of a file into an error that names both."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f'boxes {path}: {part} has no {error}') from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f'boxes {path}: {part} cannot be read ({error})') from error


def _rows_of(people: list[dict]) -> list[list[float]]:
    return [[*person['box'], person['box_score']] for person in people]


def _from_detections(content: list, path: str | Path) -> dict[str, list]:
    grouped: dict[str, list] = {}
    others: Counter[Any] = Counter()
    for number, entry in enumerate(content):
        with _naming(path, f'entry {number}, {reprlib.repr(entry)},'):
            category = entry.get('category_id', PERSON_CATEGORY)
            if category != PERSON_CATEGORY:
                others[category] += 1
                continue
            x, y, width, height = entry['bbox']
            name = str(entry['file_name'] if 'file_name' in entry else entry['image_id'])
            # The sums are made in float32, as upstream's datasets make them.
            x2 = float(np.float32(x) + np.float32(width))
            y2 = float(np.float32(y) + np.float32(height))
            grouped.setdefault(name, []).append([x, y, x2, y2, entry.get('score', 1.0)])
    _report_others(others, PERSON_CATEGORY, path)
    return grouped


def _from_annotations(content: dict, path: str | Path) -> dict[str, list]:
    with _naming(path, 'its images or categories'):
        images = {image['id']: image for image in content['images']}
        grouped: dict[str, list] = {image['file_name']: [] for image in images.values()}
        named = {entry.get('name'): entry['id'] for entry in content.get('categories') or ()}
    person = named.get('person', PERSON_CATEGORY)
    others: Counter[Any] = Counter()
    for number, entry in enumerate(content['annotations']):
        with _naming(path, f'annotation {number}, {reprlib.repr(entry)},'):
            if entry.get('category_id', person) != person:
                others[entry['category_id']] += 1
                continue
            if entry.get('iscrowd'):
                continue
            image = images.get(entry['image_id'])
            if image is None:
                raise ValueError(f'image_id {entry["image_id"]!r} is not one of its images')
            x, y, width, height = entry['bbox']
            x2 = min(x + width, image.get('width', np.inf) - 1)
            y2 = min(y + height, image.get('height', np.inf) - 1)
            grouped[image['file_name']].append([max(0.0, x), max(0.0, y), x2, y2, 1.0])
    _report_others(others, person, path)
    return grouped


def _report_others(others: Counter[Any], person: Any, path: str | Path) -> None:
    """Warn of boxes that are not of people: a detector may count its classes from 0."""
    if others:
        counts = ', '.join(f'{category} ({count})' for category, count in others.most_common(5))
        MMLogger.get_current_instance().warning(
            f'boxes {path}: {others.total()} are not of category {person}, the person, and are left out; '
            f'their categories: {counts}'
        )
