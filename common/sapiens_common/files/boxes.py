# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""People's boxes in JSON files and arrays: readers and checks."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

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
    are x, y, width, height; only persons (category 1) count. Annotated boxes are clipped to the
    image and crowds are left out, as upstream's COCO datasets do, detections are taken as they are.

    Returns:
        Rows of x1, y1, x2, y2[, score], by file name or by image id as text; not yet checked, so
        that a bad box costs its own image only.

    Raises:
        ValueError: The file is missing, no JSON, or of another form.
    """
    content = read_json(path)
    try:
        if isinstance(content, list):
            return _from_detections(content)
        if isinstance(content, dict) and 'annotations' in content and 'images' in content:
            return _from_annotations(content)
        if isinstance(content, dict) and 'people' in content:
            boxes = [[*person['box'], person['box_score']] for person in content['people']]
            return {content['source']['name']: boxes}
        if isinstance(content, dict) and 'frames' in content:
            return {
                f'{content["video"]["name"]}/{frame["frame"]}': [
                    [*person['box'], person['box_score']] for person in frame['people']
                ]
                for frame in content['frames']
            }
        if isinstance(content, dict):
            return dict(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f'boxes {path}: an entry lacks or misuses {error}') from error
    raise ValueError(
        f'boxes {path}: expected COCO detections, COCO annotations, or a mapping from image names '
        f'to lists of x1, y1, x2, y2, got {type(content).__name__}'
    )


def _group(rows: Iterable[tuple[str, list[float]]]) -> dict[str, list[list[float]]]:
    grouped: dict[str, list[list[float]]] = {}
    for name, row in rows:
        grouped.setdefault(name, []).append(row)
    return grouped


def _from_detections(content: list[dict]) -> dict[str, list]:
    def rows() -> Iterable[tuple[str, list[float]]]:
        for entry in content:
            if entry.get('category_id', PERSON_CATEGORY) != PERSON_CATEGORY:
                continue
            x, y, width, height = entry['bbox']
            name = str(entry['file_name'] if 'file_name' in entry else entry['image_id'])
            # The sums are made in float32, as upstream's datasets make them.
            x2 = float(np.float32(x) + np.float32(width))
            y2 = float(np.float32(y) + np.float32(height))
            yield name, [x, y, x2, y2, entry.get('score', 1.0)]

    return _group(rows())


def _from_annotations(content: dict) -> dict[str, list]:
    images = {image['id']: image for image in content['images']}

    def rows() -> Iterable[tuple[str, list[float]]]:
        for entry in content['annotations']:
            if entry.get('category_id', PERSON_CATEGORY) != PERSON_CATEGORY or entry.get('iscrowd'):
                continue
            image = images[entry['image_id']]
            x, y, width, height = entry['bbox']
            x2 = min(x + width, image.get('width', np.inf) - 1)
            y2 = min(y + height, image.get('height', np.inf) - 1)
            yield image['file_name'], [max(0.0, x), max(0.0, y), x2, y2, 1.0]

    grouped = _group(rows())
    # Images may lie in another folder than the file says, where that leaves no doubt which is meant.
    names = Counter(Path(name).name for name in {image['file_name'] for image in images.values()})
    for path in list(grouped):
        name = Path(path).name
        if names[name] == 1:
            grouped.setdefault(name, grouped[path])
    return grouped
