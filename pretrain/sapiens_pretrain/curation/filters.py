# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Small, composable reasons to drop an image.

A filter is any callable ``filter(photo, record) -> reason or None``; filters run in order and the
first reason counts. The scorers for watermarks and drawings are weak: simple image statistics that need no
weights; their docstrings say what they miss. Better ones are any ``scorer(BGR image) -> float`` in a :class:`ScoreFilter`.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np

from .photo import Photo, Record
from .text import text_share

Filter = Callable[[Photo, Record], str | None]
Scorer = Callable[[np.ndarray], float]

_WORK_SIZE = 512  # pixels, longer side at which the scorers look


class MinSize:
    """Drop images whose shorter side is below ``side`` pixels."""

    def __init__(self, side: int = 300) -> None:
        self.side = side

    def __call__(self, photo: Photo, record: Record) -> str | None:
        """A reason, or None."""
        height, width = photo.size
        if min(height, width) < self.side:
            return f'tiny: {height} x {width} pixels, the shorter side is below {self.side}'
        return None


class PersonFilter:
    """Keep images with a person that is detected surely and shown large (Sapiens paper, section 3.1).

    Counts the boxes above ``score`` in the record.

    Args:
        score: A box counts above this score.
        side: Its longer side must exceed this many pixels.
        both_sides: Ask that of both sides; the paper's "dimensions exceeding 300 pixels" can be read
            either way, and standing people are narrow.
    """

    def __init__(self, score: float = 0.9, side: float = 300, both_sides: bool = False) -> None:
        self.score = score
        self.side = side
        self.both_sides = both_sides

    def __call__(self, photo: Photo, record: Record) -> str | None:
        """A reason, or None."""
        boxes = photo.boxes[photo.scores > self.score]
        record.people = len(boxes)
        if not len(boxes):
            best = f'{photo.scores.max():.2f}' if len(photo.scores) else 'none'
            return f'no person: best score {best}, needed above {self.score:g}'
        sides = boxes[:, 2:] - boxes[:, :2]
        measure = sides.min(axis=1) if self.both_sides else sides.max(axis=1)
        if measure.max() <= self.side:
            return f'small person: largest box {measure.max():.0f} px, needed above {self.side:g}'
        return None


class ScoreFilter:
    """Drop images that a scorer rates above a threshold.

    Args:
        name: Name of the property, for reasons and the manifest.
        scorer: Maps a BGR uint8 image (H, W, 3) to a number.
        threshold: Largest score that is kept.
    """

    def __init__(self, name: str, scorer: Scorer, threshold: float) -> None:
        self.name = name
        self.scorer = scorer
        self.threshold = threshold

    def __call__(self, photo: Photo, record: Record) -> str | None:
        """A reason, or None."""
        score = float(self.scorer(photo.image))
        record.scores[self.name] = round(score, 4)
        if score > self.threshold:
            return f'{self.name}: score {score:.3f} above {self.threshold:g}'
        return None


def _grey(image: np.ndarray) -> np.ndarray:
    """Grey float32 image in 0..1 at the scorers' size."""
    scale = _WORK_SIZE / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32) / 255


def watermark_score(image: np.ndarray) -> float:
    """How strongly the same pattern repeats over the image, 0 to 1. Weak.

    The highest peak of the autocorrelation of the fine detail, away from the centre. Finds tiled,
    translucent marks as stock agencies print them. Misses a single logo; mistakes regular textures
    (tiles, windows, fabric) for marks.
    """
    grey = _grey(image)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), 2)
    detail = np.clip(detail, -0.05, 0.05)  # marks are faint; strong edges must not decide
    detail -= detail.mean()
    spectrum = np.abs(np.fft.rfft2(detail, [2 * side for side in detail.shape])) ** 2
    correlation = np.fft.irfft2(spectrum)
    height, width = detail.shape
    if correlation[0, 0] <= 1e-6 or min(height, width) < 2:
        return 0.0
    rows, columns = height // 2, width // 2
    overlap = np.outer(height - np.arange(rows), width - np.arange(columns)) / detail.size
    part = correlation[:rows, :columns] / correlation[0, 0] / overlap
    guard = max(8, min(height, width) // 12)
    part[:guard, :guard] = 0
    return float(np.clip(part.max(), 0, 1))


def drawing_score(image: np.ndarray) -> float:
    """Share of the image that is perfectly flat colour, 0 to 1. Weak.

    Drawings, cartoons, logos and screenshots have areas without any noise, photographs hardly. Misses
    paintings and shaded renderings; mistakes over-exposed skies, studio backgrounds and heavy
    compression for drawing.
    """
    grey = _grey(image)
    flat = cv2.dilate(grey, np.ones((5, 5))) - cv2.erode(grey, np.ones((5, 5))) < 1.5 / 255
    return float(flat.mean())


# Thresholds were set on few photographs (docs/pretraining.md); look at the manifest's scores of your own
# images before trusting them.
SCORERS: dict[str, tuple[Scorer, float]] = {
    'text': (text_share, 0.05),
    'watermark': (watermark_score, 0.35),
    'art': (drawing_score, 0.55),
}


def make_filter(name: str) -> Filter:
    """A filter by name: one of :data:`SCORERS`, or ``package.module:attribute`` of your own.

    A scorer's name may be followed by the largest score that is kept, ``text=0.02``. The attribute is a filter, or a class that makes
    one without arguments.

    Raises:
        ValueError: There is no such filter.
        ImportError: It needs a library that is not installed.
    """
    scorer_name, _, wanted = name.partition('=')
    if scorer_name == 'text' and find_spec('rapidocr') is None:
        raise ImportError(
            'the filter "text" needs RapidOCR: pip install "sapiens-openmmlab[curation]", or leave it out '
            'of --filters'
        )
    if scorer_name in SCORERS:
        scorer, threshold = SCORERS[scorer_name]
        try:
            return ScoreFilter(scorer_name, scorer, float(wanted or threshold))
        except ValueError as error:
            raise ValueError(f'filter {name!r}: expected a number after =') from error
    module, _, attribute = name.partition(':')
    try:
        found: Any = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f'filter {name!r} is not one of {list(SCORERS)} and cannot be imported as '
            f'"package.module:attribute": {error}'
        ) from error
    return found() if isinstance(found, type) else found
