# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What curation knows of an image while it looks at it, and what it writes down."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from sapiens_common.files.images import decode_image


@dataclass
class Photo:
    """One image under examination.

    Attributes:
        name: Where it comes from.
        encoded: The file's content.
        boxes: People, float (N, 4) as x1, y1, x2, y2 in pixels; empty before detection.
        scores: Detector scores (N,), 0 to 1.
    """

    name: str
    encoded: bytes
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @cached_property
    def image(self) -> np.ndarray:
        """Upright BGR uint8 (H, W, 3).

        Raises:
            ValueError: The file is damaged, or no image.
        """
        return decode_image(self.encoded, self.name)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass
class Record:
    """A line of the manifest.

    Attributes:
        index: Position in the input.
        name: Name of the image.
        kept: Whether it is in the curated set.
        reason: Why it was dropped; empty if kept.
        height: In pixels; 0 if unreadable.
        width: In pixels.
        people: Boxes above the person filter's score.
        scores: What each scoring filter measured.
        hash: 64-bit difference hash, hexadecimal.
        member: Where it lies in the shards, once written.
    """

    index: int
    name: str
    kept: bool = True
    reason: str = ''
    height: int = 0
    width: int = 0
    people: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    hash: str = ''
    member: str = ''

    def drop(self, reason: str) -> None:
        """Take the image out, for a reason."""
        self.kept = False
        self.reason = reason

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable content."""
        return asdict(self)
