# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""People's boxes from anywhere: arrays, JSON files, the whole image, or a detector."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sapiens_common.text_files import read_json

from .items import GIVEN, WHOLE_IMAGE, Boxes, Item

BoxFinder = Callable[[list[Item]], None]
"""Sets ``item.boxes`` of a batch of decoded items. A detector is one; so is every class below."""

PERSON_CATEGORY = 1
"""COCO's category id of a person, in JSON files."""


def whole_image(items: list[Item]) -> None:
    """Take every image as one box."""
    for item in items:
        item.boxes = Boxes.whole(item.pixels.shape, WHOLE_IMAGE)


def find_boxes(boxes: Any, detector: BoxFinder | None) -> BoxFinder:
    """The box finder a user's ``boxes`` argument means.

    Args:
        boxes: None or 'detector' for the detector; 'image' for the whole image; the path of a JSON
            file (see :func:`read_boxes_json`); an array (N, 4) or (N, 5) of xyxy and score, used
            for every image; a mapping from image name, stem or path to such arrays; or a
            sequence with one such array per input.
        detector: What finds people if nothing is given.

    Raises:
        ValueError: Boxes of no known form, or a detector is asked for and there is none.
    """
    if boxes is None or (isinstance(boxes, str) and boxes == 'detector'):
        if detector is None:
            raise ValueError("boxes='detector' needs a person detector; pass detector=...")
        return detector
    if isinstance(boxes, str) and boxes == 'image':
        return whole_image
    if isinstance(boxes, (str, Path)):
        return GivenBoxes(read_boxes_json(boxes))
    if isinstance(boxes, Mapping):
        return GivenBoxes({str(name): value for name, value in boxes.items()})
    if isinstance(boxes, np.ndarray) and boxes.ndim == 2:
        return GivenBoxes(check_boxes(boxes, 'boxes'))
    if callable(boxes):
        return boxes
    if isinstance(boxes, Sequence) or (isinstance(boxes, np.ndarray) and boxes.ndim == 3):
        if len(boxes) and np.isscalar(boxes[0]):
            return GivenBoxes(check_boxes([boxes], 'boxes'))
        return GivenBoxes([check_boxes(value, f'boxes[{i}]') for i, value in enumerate(boxes)])
    raise ValueError(
        f'cannot read boxes of type {type(boxes).__name__}: expected a JSON path, an array (N, 4) '
        "of xyxy, one array per image, a mapping from image names, 'image' or 'detector'"
    )


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


class GivenBoxes:
    """Boxes a user gave.

    Args:
        boxes: (N, 5) for every image, or one per input position, or by image name.
    """

    def __init__(self, boxes: np.ndarray | list[np.ndarray] | dict[str, Any]) -> None:
        self.boxes = boxes

    def __call__(self, items: list[Item]) -> None:
        """Set the boxes of a batch; an item whose boxes make no sense fails."""
        for item in items:
            try:
                item.boxes = self._of(item)
            except ValueError as error:
                item.fail(str(error))

    def _of(self, item: Item) -> Boxes:
        if isinstance(self.boxes, np.ndarray):
            found = self.boxes
        elif isinstance(self.boxes, list):
            if item.index >= len(self.boxes):
                raise ValueError(
                    f'{item.label}: boxes were given for {len(self.boxes)} inputs, and this is '
                    f'number {item.index + 1}'
                )
            found = self.boxes[item.index]
        else:
            named = [self.boxes[name] for name in item.aliases if name in self.boxes]
            found = check_boxes(named[0] if named else [], item.label)
        height, width = item.pixels.shape[:2]
        outside = (found[:, 2] <= 0) | (found[:, 3] <= 0)
        outside |= (found[:, 0] >= width) | (found[:, 1] >= height)
        if outside.any():
            first = int(np.flatnonzero(outside)[0])
            raise ValueError(
                f'{item.label}: box {first}, {found[first, :4].tolist()}, lies outside the image of '
                f'{width} x {height} pixels'
            )
        if not len(found):
            item.notes.append('no boxes were given for this image')
        return Boxes(found[:, :4].copy(), found[:, 4].copy(), GIVEN)


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
