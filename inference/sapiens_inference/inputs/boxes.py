# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""People's boxes from anywhere: arrays, JSON files, the whole image, or a detector."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from sapiens_common.files.boxes import check_boxes, read_boxes_json, with_base_names
from sapiens_inference.items import (
    DETECTOR,
    GIVEN,
    NO_BOXES,
    NOBODY_FOUND,
    NOT_GIVEN,
    WHOLE_IMAGE,
    Boxes,
    Item,
)

BoxFinder = Callable[[list[Item]], None]
"""Sets ``item.boxes`` of a batch of decoded items. A detector is one; so is every class below."""

MISSING = {
    'skip': 'Images without boxes are taken as images without people',
    'whole': 'Of images without boxes the whole image is taken',
    'detector': 'People of images without boxes are found by the detector',
    'error': 'Images without boxes fail',
}
"""What may happen to images that a file or mapping of boxes does not name."""


def whole_image(items: list[Item]) -> None:
    """Take every image as one box."""
    for item in items:
        item.boxes = Boxes.whole(item.pixels.shape, WHOLE_IMAGE)


def mark_nobody(items: Iterable[Item]) -> None:
    """Give items on which the detector found no one the whole image, and note it in the item."""
    for item in items:
        if item.boxes is not None and not len(item.boxes) and item.boxes.origin == DETECTOR:
            item.boxes = Boxes.whole(item.pixels.shape, NOBODY_FOUND)
            item.notes.append('nobody was detected; the whole image was used as the box')


def find_boxes(
    boxes: Any, detector: Callable[[], BoxFinder] | None, missing: str = 'skip'
) -> BoxFinder:
    """The box finder a user's ``boxes`` argument means.

    Args:
        boxes: None or 'detector' for the detector; 'image' for the whole image; the path of a JSON
            file (see :func:`read_boxes_json`); an array (N, 4) or (N, 5) of xyxy and score, or one such
            box, used for every image; a mapping from image name, stem or path to such arrays; or a
            sequence with one such array per image or video frame.
        detector: Makes what finds people; called only where the detector is used.
        missing: What happens to an image that a file or mapping does not name, a key of :data:`MISSING`.

    Raises:
        ValueError: Boxes of no known form, or a detector is asked for and there is none.
    """
    if missing not in MISSING:
        raise ValueError(f'boxes_missing {missing!r}: expected one of {", ".join(MISSING)}')
    if boxes is None or (isinstance(boxes, str) and boxes == 'detector'):
        if detector is None:
            raise ValueError("boxes='detector' needs a person detector; pass detector=...")
        return detector()
    if isinstance(boxes, str) and boxes == 'image':
        return whole_image
    if isinstance(boxes, str) and not Path(boxes).exists() and not Path(boxes).suffix:
        raise ValueError(
            f"boxes {boxes!r}: expected 'detector', 'image', or the path of a JSON file"
        )
    if isinstance(boxes, (str, Path, Mapping)):
        if isinstance(boxes, Mapping):
            named = with_base_names({str(name): value for name, value in boxes.items()})
        else:
            named = read_boxes_json(boxes)
        return GivenBoxes(
            named, missing, detector() if detector and missing == 'detector' else None
        )
    if isinstance(boxes, np.ndarray) and boxes.ndim in (1, 2):
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


class GivenBoxes:
    """Boxes a user gave.

    Args:
        boxes: (N, 5) for every image, or one per image or video frame in their order, or by image name.
        missing: What happens to an image without a name in ``boxes``, a key of :data:`MISSING`.
        detector: Finds people for ``missing='detector'``.

    Attributes:
        count: For how many images and frames there are boxes, where they are given in order.

    Raises:
        ValueError: The detector is asked for, and there is none.
    """

    def __init__(
        self,
        boxes: np.ndarray | list[np.ndarray] | dict[str, Any],
        missing: str = 'skip',
        detector: BoxFinder | None = None,
    ) -> None:
        if missing == 'detector' and detector is None:
            raise ValueError("boxes_missing='detector' needs a person detector; pass detector=...")
        self.boxes, self.missing, self.detector = boxes, missing, detector
        self.count = len(boxes) if isinstance(boxes, list) else None
        self._warned = False

    def __call__(self, items: list[Item]) -> None:
        """Set the boxes of a batch; an item whose boxes make no sense fails."""
        unnamed = []
        for item in items:
            try:
                if self._is_named(item):
                    item.boxes = self._of(item)
                else:
                    unnamed.append(item)
                    self._set_missing(item)
            except ValueError as error:
                item.fail(str(error))
        if unnamed and self.missing == 'detector':
            assert self.detector is not None
            self.detector(unnamed)

    def _is_named(self, item: Item) -> bool:
        return not isinstance(self.boxes, dict) or any(name in self.boxes for name in item.aliases)

    def _set_missing(self, item: Item) -> None:
        assert isinstance(self.boxes, dict)
        known = ', '.join(list(self.boxes)[:3]) or 'none at all'
        reason = f'{item.label}: no boxes are given for it; names with boxes: {known}'
        if self.missing == 'error':
            raise ValueError(reason)
        if not self._warned:
            self._warned = True
            MMLogger.get_current_instance().warning(f'{reason}. {MISSING[self.missing]}')
        # A batch comes twice after the detector ran out of memory.
        if NO_BOXES not in item.notes:
            item.notes.append(NO_BOXES)
        shape = item.pixels.shape
        item.boxes = (
            Boxes.nobody(GIVEN) if self.missing == 'skip' else Boxes.whole(shape, NOT_GIVEN)
        )

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
            name = next(name for name in item.aliases if name in self.boxes)
            found = check_boxes(self.boxes[name], item.label)
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
            item.notes.append('the boxes given for this image are none')
        return Boxes(found[:, :4].copy(), found[:, 4].copy(), GIVEN)
