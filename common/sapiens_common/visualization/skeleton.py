# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoints and links of people on a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from .canvas import INK, LEAST_TEXT, Color, draw_text, text_height, text_width

_SHIFT = 4  # OpenCV draws at 1/16 pixel
DENSE = 0.7
"""Points with a smaller relative radius lie close together, as those of faces and hands do."""
_GROWTH = 1.7  # of dense points that have room, as in a close-up of a face
_LEAST_DOT = 0.9  # pixels; smoothed discs that are smaller touch their neighbours all the same
_LEAST_SHARE = 0.4  # of a pixel: fainter points would not be seen
_DARK: Color = (25, 25, 25)
# Boxes of neighbours differ: light colours on which dark numbers are read, seen on any ground with a rim.
_PEOPLE: tuple[Color, ...] = (
    (255, 255, 255),
    (255, 221, 87),
    (122, 215, 240),
    (255, 158, 199),
    (160, 231, 160),
    (255, 179, 102),
    (196, 178, 255),
)


@dataclass
class SkeletonStyle:
    """How a keypoint layout is drawn.

    Attributes:
        colors: RGB per keypoint.
        links: Pairs of keypoint ids.
        link_colors: RGB per link.
        sizes: Relative radius per keypoint; 1 for joints, less for the dense points of a face.
        entries: Legend: name and colour.
    """

    colors: list[Color]
    links: list[tuple[int, int]]
    link_colors: list[Color]
    sizes: list[float]
    entries: list[tuple[str, Color]] = field(default_factory=list)


def draw_people(
    image: np.ndarray,
    keypoints: np.ndarray,
    scores: np.ndarray,
    boxes: np.ndarray,
    style: SkeletonStyle,
    threshold: float = 0.3,
    track_ids: Sequence[int] | None = None,
    draw_boxes: bool = True,
    hidden: np.ndarray | None = None,
) -> np.ndarray:
    """Draw links, points and boxes.

    Args:
        image: uint8 (H, W, 3) BGR; not changed.
        keypoints: (N, K, 2) x, y in pixels; NaN for points a model does not have.
        scores: (N, K).
        boxes: (N, 4) xyxy.
        style: How the layout is drawn.
        threshold: Points with a lower score, and their links, are left out.
        track_ids: Number written on each person's box, which also chooses its colour.
        draw_boxes: Whether to draw boxes.
        hidden: bool (N, K), points drawn as rings: annotated but not seen in the photo.

    Returns:
        The picture.
    """
    picture = image.copy()
    diagonal = float(np.hypot(*image.shape[:2]))
    visible = scores >= threshold
    # All boxes lie below all skeletons, and those of near people, whose boxes are large, over the rest.
    order = np.argsort(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)).tolist()
    for person in order if draw_boxes else ():
        number = person if track_ids is None else int(track_ids[person])
        tag = '' if track_ids is None else str(number)
        if visible.shape[1] and not visible[person].any():
            tag = f'{tag}  0 of {visible.shape[1]} above {threshold:g}'.strip()
        color = _PEOPLE[number % len(_PEOPLE)]
        _box(picture, boxes[person], max(1, round(diagonal / 800)), color, tag)
    for person in order:
        # Thickness follows the person, not the photo: far people get fine lines, but none that vanish
        # when a huge photo is looked at on a screen.
        reach = float(np.hypot(*(boxes[person, 2:] - boxes[person, :2])))
        radius = float(np.clip(reach / 160, max(1.2, diagonal / 1600), max(4.0, diagonal / 250)))
        rings = None if hidden is None else hidden[person]
        _person(picture, keypoints[person], visible[person], style, radius, rings)
    return picture


def _person(
    picture: np.ndarray,
    points: np.ndarray,
    visible: np.ndarray,
    style: SkeletonStyle,
    radius: float,
    hidden: np.ndarray | None,
) -> None:
    """Draw the links and points of a person in place."""
    visible = visible & np.isfinite(points).all(axis=1)
    for (a, b), color in zip(style.links, style.link_colors, strict=True):
        if visible[a] and visible[b]:
            width = max(1, round(0.8 * radius * min(style.sizes[a], style.sizes[b])))
            _line(picture, points[a], points[b], color, width)
    sizes = radius * np.array(style.sizes)
    crowded: set[int] = set()
    for size in {size for size in style.sizes if size < DENSE}:  # a face, and hands
        dense = np.flatnonzero(visible & (np.array(style.sizes) == size))
        room = _room(points[dense])
        crowded |= {int(index) for index in dense if room < min(sizes[index], _LEAST_DOT)}
        sizes[dense] = np.minimum(_GROWTH * sizes[dense], room)
    for index in np.flatnonzero(visible):
        if int(index) in crowded:
            _speck(picture, points[index], sizes[index], style.colors[index])
            continue
        mark = _ring if hidden is not None and hidden[index] else _dot
        mark(picture, points[index], sizes[index], style.colors[index])


def _room(points: np.ndarray) -> float:
    """Largest radius (pixels) with which points (N, 2) close together do not become one patch."""
    if len(points) < 2:
        return np.inf
    distances = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    np.fill_diagonal(distances, np.inf)
    return 0.35 * float(np.median(distances.min(axis=1)))


def _speck(picture: np.ndarray, point: np.ndarray, radius: float, color: Color) -> None:
    """A point smaller than a pixel: its share of that pixel, so that the face below is still seen."""
    height, width = picture.shape[:2]
    x, y = (round(float(value)) for value in np.clip(point, -4096, 65535))
    if 0 <= x < width and 0 <= y < height:
        share = min(1.0, max(_LEAST_SHARE, float(np.pi * radius**2)))
        mixed = picture[y, x] * (1 - share) + np.array(color[::-1]) * share
        picture[y, x] = mixed.round().astype(np.uint8)


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """A position in OpenCV's fixed-point form; far-off values would overflow it."""
    x, y = np.clip(point, -4096, 65535) * (1 << _SHIFT)
    return round(float(x)), round(float(y))


def _line(picture: np.ndarray, a: np.ndarray, b: np.ndarray, color: Color, width: int) -> None:
    cv2.line(picture, _fixed(a), _fixed(b), color[::-1], width, cv2.LINE_AA, _SHIFT)


def _dot(picture: np.ndarray, point: np.ndarray, radius: float, color: Color) -> None:
    """A disc with a dark rim, so that it is seen on any ground; too small ones get none."""
    if radius >= 1.5:
        _disc(picture, point, radius + max(0.5, 0.15 * radius), _DARK)
    _disc(picture, point, max(radius, 0.5), color)


def _ring(picture: np.ndarray, point: np.ndarray, radius: float, color: Color) -> None:
    fixed = round(max(radius, 1.0) * (1 << _SHIFT))
    width = max(1, round(radius / 3))
    cv2.circle(picture, _fixed(point), fixed, color[::-1], width, cv2.LINE_AA, _SHIFT)


def _disc(picture: np.ndarray, point: np.ndarray, radius: float, color: Color) -> None:
    fixed = round(radius * (1 << _SHIFT))
    cv2.circle(picture, _fixed(point), fixed, color[::-1], -1, cv2.LINE_AA, _SHIFT)


def _box(picture: np.ndarray, box: np.ndarray, width: int, color: Color, text: str) -> None:
    """A box with a dark rim and, if there is a text, a tag on its upper left corner."""
    left, top, right, bottom = (round(float(v)) for v in np.clip(box, -4096, 65535))
    grown = -(-width // 2) + (width > 3)
    cv2.rectangle(
        picture, (left - grown, top - grown), (right - 1 + grown, bottom - 1 + grown), _DARK
    )
    cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), color[::-1], width)
    if not text:
        return
    # No larger than the person bears, no smaller than can be read.
    size = text_height(picture.shape[0])
    size = int(np.clip((box[3] - box[1]) / 6, min(LEAST_TEXT, size), size))
    wide, high = text_width(text, size) + size // 2 + 2, round(1.25 * size)
    x = int(np.clip(box[0] - width, 0, max(picture.shape[1] - wide, 0)))
    above = round(float(box[1])) - width - high
    y = above if above >= 0 else max(round(float(box[1])), 0)
    cv2.rectangle(picture, (x, y), (x + wide, y + high), color[::-1], -1)
    draw_text(picture, text, (x + size // 4 + 1, y), size, INK)
