# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Colours, sizes and legend of a keypoint layout: one drawing for results, data sets and renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sapiens_common.visualization import SkeletonStyle
from sapiens_common.visualization.canvas import Color

from .goliath308 import face_parts, load_goliath308
from .sides import SIDE_COLORS, side_of

# The layout's own colours of the face cannot be told apart: inner lips, right ear and right pupil are one cyan.
# Left and right of a pair differ in lightness, neighbours in hue.
_FACE_COLORS: dict[str, Color] = {
    'face, middle line': (255, 255, 255),
    'right eyebrow': (255, 190, 120),
    'left eyebrow': (150, 240, 170),
    'left upper eyelid': (235, 70, 160),
    'right upper eyelid': (130, 50, 220),
    'left lower eyelid': (255, 150, 215),
    'right lower eyelid': (180, 140, 255),
    'nose': (0, 160, 60),
    'outer lips': (215, 20, 20),
    'inner lips': (255, 115, 100),
    'left ear': (240, 225, 0),
    'right ear': (0, 215, 235),
    'left iris': (120, 255, 40),
    'right iris': (20, 90, 255),
    'left pupil': (150, 85, 20),
    'right pupil': (0, 110, 125),
    'contour': (51, 153, 255),
    'left eye': (235, 70, 160),
    'right eye': (130, 50, 220),
}
# First and one past the last of the 68 face points of COCO-WholeBody (``face-0`` to ``face-67``).
_FACE_68 = (
    ('contour', 0, 17),
    ('right eyebrow', 17, 22),
    ('left eyebrow', 22, 27),
    ('nose', 27, 36),
    ('right eye', 36, 42),
    ('left eye', 42, 48),
    ('outer lips', 48, 60),
    ('inner lips', 60, 68),
)
_FACE_SIZE = 0.4
_HAND_SIZE = 0.6
_HAND_WORDS = ('thumb', 'finger', 'forefinger', 'hand', 'index', 'pinky', 'ring', 'middle_')


def skeleton_style(
    names: Sequence[str],
    links: Sequence[tuple[str, str]] = (),
    link_colors: Sequence[Sequence[int]] = (),
) -> SkeletonStyle:
    """How keypoints of these names are drawn.

    Left is green, right orange, the middle blue; each part of a face with 238 or 68 points has its own
    colour and small points, the hands' points are between.

    Args:
        names: Names of the points that are drawn.
        links: Pairs of names; those with a name that is not drawn are left out.
        link_colors: RGB per link.
    """
    index_of = {name: index for index, name in enumerate(names)}
    colors = [SIDE_COLORS[side_of(name)] for name in names]
    sizes = [_size(name) for name in names]
    entries: list[tuple[str, Color]] = []
    on_faces = _face_colors()
    sides = {side_of(name) for name in names if name not in on_faces}
    entries += [(side or 'middle', SIDE_COLORS[side]) for side in SIDE_COLORS if side in sides]
    for part, part_names in _all_face_parts():
        chosen = [name for name in part_names if name in index_of]
        for name in chosen:
            colors[index_of[name]], sizes[index_of[name]] = on_faces[name], _FACE_SIZE
        if chosen:
            entries.append((part, on_faces[chosen[0]]))
    drawn = [
        (index_of[a], index_of[b], _rgb(color))
        for (a, b), color in zip(links, link_colors, strict=True)
        if a in index_of and b in index_of
    ]
    return SkeletonStyle(
        colors, [(a, b) for a, b, _ in drawn], [color for _, _, color in drawn], sizes, entries
    )


@cache
def goliath308_style(names: tuple[str, ...] | None = None) -> SkeletonStyle:
    """The drawing of the 308 layout.

    Args:
        names: Names of the points that are drawn, maybe of another layout; None is all 308.
    """
    table = load_goliath308()
    if names is None:
        names = tuple(point['name'] for point in table['keypoints'])
    links = [link['link'] for link in table['skeleton']]
    colors = [link['color'] for link in table['skeleton']]
    return skeleton_style(names, links, colors)


def metainfo_style(meta: Mapping[str, Any], names: Sequence[str] | None = None) -> SkeletonStyle:
    """The drawing of a layout in mmpose's parsed form.

    Args:
        meta: Parsed metainfo of the layout.
        names: Names of the points that are drawn, maybe of another layout; None is all of them.
    """
    all_names = list(meta['keypoint_id2name'].values())
    links = [(all_names[a], all_names[b]) for a, b in meta['skeleton_links']]
    return skeleton_style(
        all_names if names is None else names, links, meta['skeleton_link_colors']
    )


@cache
def _face_colors() -> dict[str, Color]:
    """Colour of each keypoint of a face, of either layout."""
    return {name: _FACE_COLORS[part] for part, names in _all_face_parts() for name in names}


def _all_face_parts() -> list[tuple[str, tuple[str, ...]]]:
    """Parts of the faces of the 308 and of the 133 layout, with the names of their points."""
    small = [
        (part, tuple(f'face-{number}' for number in range(start, stop)))
        for part, start, stop in _FACE_68
    ]
    return [*face_parts().items(), *small]


def _rgb(color: Sequence[int]) -> Color:
    red, green, blue = (int(value) for value in color)
    return red, green, blue


def _size(name: str) -> float:
    """Relative radius: the dense points of faces and hands are smaller than joints."""
    if name.startswith('face'):
        return _FACE_SIZE
    return _HAND_SIZE if any(word in name for word in _HAND_WORDS) else 1.0
