# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoints and links of people on a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from .canvas import Color, draw_text, text_height

_SHIFT = 4  # OpenCV draws at 1/16 pixel


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
) -> np.ndarray:
    """Draw links, points and boxes.

    Args:
        image: uint8 (H, W, 3) BGR; not changed.
        keypoints: (N, K, 2) x, y in pixels; NaN for points a model does not have.
        scores: (N, K).
        boxes: (N, 4) xyxy.
        style: Of the layout.
        threshold: Points with a lower score, and their links, are left out.
        track_ids: Number written beside each person.
        draw_boxes: Whether to draw boxes.

    Returns:
        The picture.
    """
    picture = image.copy()
    for person in range(len(keypoints)):
        points, visible = keypoints[person], scores[person] >= threshold
        visible = visible & np.isfinite(points).all(axis=1)
        # Thickness follows the person, not the photo: far people get fine lines.
        reach = float(np.hypot(*(boxes[person, 2:] - boxes[person, :2])))
        radius = float(np.clip(reach / 160, 1.2, 14.0))
        if draw_boxes:
            _box(picture, boxes[person], max(1, round(radius / 2)))
        for (a, b), color in zip(style.links, style.link_colors, strict=True):
            if visible[a] and visible[b]:
                width = max(1, round(0.8 * radius * min(style.sizes[a], style.sizes[b])))
                _line(picture, points[a], points[b], color, width)
        for index in np.flatnonzero(visible):
            _dot(picture, points[index], radius * style.sizes[index], style.colors[index])
        if track_ids is not None:
            size = text_height(image.shape[0])
            x, y = np.maximum(boxes[person, :2], 0).astype(int)
            picture = draw_text(
                picture, f'#{track_ids[person]}', (x + 3, y + 1), size, (255, 255, 0)
            )
    return picture


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """A position in OpenCV's fixed-point form; far-off values would overflow it."""
    x, y = np.clip(point, -4096, 65535) * (1 << _SHIFT)
    return round(float(x)), round(float(y))


def _line(picture: np.ndarray, a: np.ndarray, b: np.ndarray, color: Color, width: int) -> None:
    cv2.line(picture, _fixed(a), _fixed(b), color[::-1], width, cv2.LINE_AA, _SHIFT)


def _dot(picture: np.ndarray, point: np.ndarray, radius: float, color: Color) -> None:
    """A disc with a dark rim, so that it is seen on any ground."""
    fixed = round(radius * (1 << _SHIFT))
    if radius >= 2:
        rim = round((radius + 0.8) * (1 << _SHIFT))
        cv2.circle(picture, _fixed(point), rim, (25, 25, 25), -1, cv2.LINE_AA, _SHIFT)
    cv2.circle(picture, _fixed(point), max(fixed, 12), color[::-1], -1, cv2.LINE_AA, _SHIFT)


def _box(picture: np.ndarray, box: np.ndarray, width: int) -> None:
    cv2.rectangle(
        picture, _fixed(box[:2]), _fixed(box[2:] - 1), (235, 235, 235), width, cv2.LINE_AA, _SHIFT
    )
