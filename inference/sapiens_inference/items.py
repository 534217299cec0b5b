# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What travels through the inference pipeline: one image or video frame with all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

import numpy as np

PADDING = 1.25
"""A person's crop of a dense task is this much larger than the box, as in pose."""
WHOLE_IMAGE = 'whole image'
NOBODY_FOUND = 'whole image (nobody detected)'
DETECTOR = 'detector'
GIVEN = 'given'
NOT_GIVEN = 'whole image (no boxes given)'
NO_BOXES = 'no boxes were given for this image'
"""Note of an item that a file or mapping of boxes does not name."""


@dataclass
class Boxes:
    """People of one image.

    Attributes:
        xyxy: float32 (N, 4), x1, y1, x2, y2 in pixels of the image.
        scores: float32 (N,), detector scores; 1 where a user gave none.
        origin: Where they come from: 'detector', 'given', 'whole image',
            'whole image (nobody detected)' or 'whole image (no boxes given)'.
        track_ids: int64 (N,), the same number for the same person in a video; None for images.
    """

    xyxy: np.ndarray
    scores: np.ndarray
    origin: str
    track_ids: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.xyxy)

    @property
    def is_whole(self) -> bool:
        """Whether the whole image stands in for people who are not known."""
        return self.origin in (WHOLE_IMAGE, NOBODY_FOUND, NOT_GIVEN)

    @classmethod
    def whole(cls, shape: tuple[int, ...], origin: str = WHOLE_IMAGE) -> Boxes:
        """The whole image as one box.

        Args:
            shape: (height, width, ...) of the image.
            origin: Why the whole image is used.
        """
        height, width = shape[:2]
        xyxy = np.array([[0, 0, width, height]], dtype=np.float32)
        return cls(xyxy, np.ones(1, dtype=np.float32), origin)

    @classmethod
    def nobody(cls, origin: str) -> Boxes:
        """No box at all."""
        return cls(np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32), origin)


@dataclass(frozen=True)
class Video:
    """A video being read.

    Attributes:
        name: Name of the outputs, without suffix.
        path: The file; None for a webcam.
        rate: Frames per second.
    """

    name: str
    path: Path | None
    rate: Fraction


@dataclass(frozen=True)
class Frame:
    """Place of an image in a video: frame number from 0 and time in seconds from the start."""

    video: Video
    number: int
    time: float


@dataclass
class Item:
    """One image on its way through the pipeline.

    Attributes:
        index: Position in the inputs, from 0.
        name: Name of the outputs: relative, without suffix, unique within a run (frames of a video
            share the video's).
        path: The image file, if any.
        image: uint8 (H, W, 3) BGR; None before decoding and for failed items.
        error: Why the item failed; None while all is well.
        notes: What a user should know of a finished item (alpha removed, nobody detected, ...).
        frame: For a video frame its place in the video.
        boxes: People, once found or given.
        mask: bool (H, W), True on people, if a mask was asked for.
        limits: Range of values that pictures of depth show, where it depends on the frames before.
        results: What each task has found (a dataclass of arrays), by task name.
        pictures: Pictures of a video frame that wait for their place in the videos, by task name.
    """

    index: int
    name: str
    path: Path | None = None
    image: np.ndarray | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    frame: Frame | None = None
    boxes: Boxes | None = None
    mask: np.ndarray | None = None
    limits: tuple[float, float] | None = None
    results: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of the image, the mask, the pictures and the results' arrays."""
        arrays = [self.image, self.mask, *self.pictures.values()]
        arrays += [value for result in self.results.values() for value in vars(result).values()]
        return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))

    @property
    def file_name(self) -> str:
        """Name of the item's own files: for a frame ``<video>/<number>``."""
        return self.name if self.frame is None else f'{self.name}/{self.frame.number:06d}'

    @property
    def label(self) -> str:
        """What messages call the item."""
        if self.frame is not None:
            return f'{self.frame.video.path or self.frame.video.name} frame {self.frame.number}'
        return str(self.path) if self.path is not None else f'input {self.index} ({self.name})'

    @property
    def aliases(self) -> list[str]:
        """What a user's mapping may call the item, the most exact first.

        Those of :func:`file_aliases`; for a frame ``<video>/<number>`` and the number before them.
        """
        names = []
        if self.frame is not None:
            number = str(self.frame.number)
            names += [self.file_name, f'{self.name}/{number}', number]
        return names + file_aliases(self.name, self.path)

    def fail(self, reason: str) -> None:
        """Mark the item as failed and let go of its image."""
        self.error = reason
        self.image = None

    @property
    def pixels(self) -> np.ndarray:
        """The decoded image of an item that has not failed."""
        if self.image is None:
            raise ValueError(f'{self.label}: not decoded ({self.error})')
        return self.image


def file_aliases(name: str, path: PurePath | None) -> list[str]:
    """What a user's mapping may call a file, the most exact first.

    The ends of its path (``b/1.jpg`` of ``/a/b/1.jpg``), its name, their stems, and a number without
    leading zeros (COCO's image ids are its file names).

    Args:
        name: Name of its outputs.
        path: Where it lies; None where it has no path.
    """
    names = []
    if path is not None:
        parts = path.parts
        names += [str(path), *('/'.join(parts[start:]) for start in range(1, len(parts)))]
    names.append(name)
    if path is not None:
        names.append(path.stem)
    stem = name.rsplit('/', 1)[-1]
    names.append(stem)
    if stem.isdecimal():
        names.append(str(int(stem)))
    return names
