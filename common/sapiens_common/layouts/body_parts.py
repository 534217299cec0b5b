# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The 28 body parts of the Goliath layout: names, palette, loss weights, raw ids and flip pairs.

One table for everybody: segmentation (classes, loss weights, drawing), rendering (labels) and tests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .sides import mirrored_name, side_of

IGNORE_INDEX = 255
"""Label value that is neither a class nor background; losses and metrics skip it."""


class BodyPart(NamedTuple):
    """One class of the 28-class body-part layout.

    Attributes:
        name: Class name as published.
        raw_id: Value in the 34-class annotation that this class comes from.
        weight: Cross-entropy weight of the published recipe.
        color: Palette entry, RGB 0..255.
    """

    name: str
    raw_id: int
    weight: float
    color: tuple[int, int, int]


BODY_PARTS: tuple[BodyPart, ...] = (
    BodyPart('Background', 0, 0.1, (50, 50, 50)),
    BodyPart('Apparel', 1, 10.0, (255, 218, 0)),
    BodyPart('Face_Neck', 5, 3.0, (128, 200, 255)),
    BodyPart('Hair', 6, 2.0, (255, 0, 109)),
    BodyPart('Left_Foot', 8, 4.0, (189, 0, 204)),
    BodyPart('Left_Hand', 9, 4.0, (255, 0, 218)),
    BodyPart('Left_Lower_Arm', 10, 2.0, (0, 160, 204)),
    BodyPart('Left_Lower_Leg', 11, 2.0, (0, 255, 145)),
    BodyPart('Left_Shoe', 12, 6.0, (204, 0, 131)),
    BodyPart('Left_Sock', 13, 10.0, (182, 0, 255)),
    BodyPart('Left_Upper_Arm', 14, 3.0, (255, 109, 0)),
    BodyPart('Left_Upper_Leg', 15, 3.0, (0, 255, 255)),
    BodyPart('Lower_Clothing', 16, 1.0, (72, 0, 255)),
    BodyPart('Right_Foot', 18, 4.0, (204, 131, 0)),
    BodyPart('Right_Hand', 19, 4.0, (255, 0, 0)),
    BodyPart('Right_Lower_Arm', 20, 2.0, (72, 255, 0)),
    BodyPart('Right_Lower_Leg', 21, 2.0, (189, 204, 0)),
    BodyPart('Right_Shoe', 22, 6.0, (182, 255, 0)),
    BodyPart('Right_Sock', 23, 10.0, (102, 0, 204)),
    BodyPart('Right_Upper_Arm', 24, 3.0, (32, 72, 204)),
    BodyPart('Right_Upper_Leg', 25, 3.0, (0, 145, 255)),
    BodyPart('Torso', 26, 1.0, (14, 204, 0)),
    BodyPart('Upper_Clothing', 27, 1.0, (0, 128, 72)),
    BodyPart('Lower_Lip', 29, 10.0, (235, 205, 119)),
    BodyPart('Upper_Lip', 30, 10.0, (115, 227, 112)),
    BodyPart('Lower_Teeth', 31, 10.0, (157, 113, 143)),
    BodyPart('Upper_Teeth', 32, 10.0, (132, 93, 50)),
    BodyPart('Tongue', 33, 10.0, (82, 21, 114)),
)
"""Class id (position) -> part. Background is an ordinary class with id 0."""

BODY_PART_NAMES: tuple[str, ...] = tuple(part.name for part in BODY_PARTS)
BODY_PART_PALETTE: tuple[tuple[int, int, int], ...] = tuple(part.color for part in BODY_PARTS)
BODY_PART_WEIGHTS: tuple[float, ...] = tuple(part.weight for part in BODY_PARTS)
BODY_PART_IDS: dict[str, int] = {name: index for index, name in enumerate(BODY_PART_NAMES)}

NUM_RAW_PARTS = 34
"""Classes of the raw annotation; those that no part names became :data:`IGNORE_INDEX`."""

REMOVED_RAW_PARTS: tuple[str, ...] = (
    'Eyeglass_Frame',
    'Eyeglass_Lenses',
    'Visible_Badge',
    'Chair',
    'Lower_Spandex',
    'Headset',
)

BODY_PART_SWAP_PAIRS: tuple[tuple[int, int], ...] = tuple(
    (index, BODY_PART_IDS[mirrored_name(name)])
    for index, name in enumerate(BODY_PART_NAMES)
    if side_of(name) == 'left'
)
"""Pairs of ids (left, right) that trade places when an image is mirrored."""


def raw_to_part_table() -> np.ndarray:
    """Lookup table from raw annotation values to class ids.

    Returns:
        uint8 (256,): class id for each raw value of a kept class, :data:`IGNORE_INDEX` elsewhere.
    """
    table = np.full(256, IGNORE_INDEX, dtype=np.uint8)
    for index, part in enumerate(BODY_PARTS):
        table[part.raw_id] = index
    return table
