# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The 29 body parts of Sapiens2: the 28 of Sapiens with the eyeglasses apart from the face.

``data/body_parts29.json`` holds names, colours, loss weights, and how other label sets map to them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from .body_parts import BODY_PART_NAMES

EYEGLASS = 'Eyeglass'
_INSTEAD = 'Face_Neck'
"""The part of the 28 that eyeglasses belong to."""


@cache
def load_body_parts29() -> dict[str, Any]:
    """Content of the data file."""
    text = files('sapiens_common').joinpath('data/body_parts29.json').read_text(encoding='utf-8')
    return json.loads(text)


_CLASSES = load_body_parts29()['classes']
BODY_PART29_NAMES: tuple[str, ...] = tuple(part['name'] for part in _CLASSES)
BODY_PART29_PALETTE: tuple[tuple[int, int, int], ...] = tuple(
    (red, green, blue) for red, green, blue in (part['color_rgb'] for part in _CLASSES)
)
BODY_PART29_WEIGHTS: tuple[float, ...] = tuple(float(part['loss_weight']) for part in _CLASSES)
BODY_PART29_IDS: dict[str, int] = {name: index for index, name in enumerate(BODY_PART29_NAMES)}

TO_28: tuple[int, ...] = tuple(
    BODY_PART_NAMES.index(_INSTEAD if name == EYEGLASS else name) for name in BODY_PART29_NAMES
)
"""Id among the 28 parts of each of the 29; eyeglasses become face and neck."""

FROM_28: tuple[int, ...] = tuple(BODY_PART29_IDS[name] for name in BODY_PART_NAMES)
"""Id among the 29 parts of each of the 28; none becomes eyeglasses."""

SOURCE_MAPS: dict[str, tuple[int, ...]] = {
    source: tuple(target for _, target in labels)
    for source, labels in load_body_parts29()['source_maps'].items()
}
"""Ids, or 255, by the labels of the sets that Sapiens2 was trained on."""
