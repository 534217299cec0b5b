# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Colours, sizes and legend of a keypoint layout for drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sapiens_common.visualization import SkeletonStyle
from sapiens_common.visualization.canvas import Color

LEFT: Color = (0, 220, 60)
RIGHT: Color = (255, 128, 0)
MIDDLE: Color = (51, 153, 255)

# First and one past the last id of each part of the face in the 308 layout.
_FACE_308 = (
    ('face, middle line', 70, 78),
    ('right eyebrow', 78, 87),
    ('left eyebrow', 87, 96),
    ('left upper eyelid', 96, 120),
    ('right upper eyelid', 120, 144),
    ('left lower eyelid', 144, 161),
    ('right lower eyelid', 161, 178),
    ('nose', 178, 188),
    ('outer lips', 188, 204),
    ('inner lips', 204, 220),
    ('left ear', 220, 246),
    ('right ear', 246, 272),
    ('left iris', 272, 281),
    ('right iris', 281, 290),
    ('left pupil', 290, 299),
    ('right pupil', 299, 308),
)
_EYEBROWS: dict[str, Color] = {'right eyebrow': (255, 190, 120), 'left eyebrow': (150, 240, 170)}
_FACE_SIZE = 0.4
_HAND_SIZE = 0.6


def style_of(meta: dict[str, Any], names: Sequence[str]) -> SkeletonStyle:
    """How the chosen points of a layout are drawn.

    Left is green, right orange, the middle blue; parts of the 308 layout's face have the layout's own
    colours.

    Args:
        meta: Parsed metainfo of the model's layout.
        names: Names of the output points, maybe of another layout.
    """
    all_names = list(meta['keypoint_id2name'].values())
    index_of = {name: index for index, name in enumerate(names)}
    colors = [_side(name) for name in names]
    sizes = [_size(name) for name in names]
    entries: list[tuple[str, Color]] = []
    sides = {'left': LEFT, 'right': RIGHT, 'middle': MIDDLE}
    body = [name for name in names if not _is_face(name, all_names)]
    entries += [
        (side, color) for side, color in sides.items() if any(_side(n) == color for n in body)
    ]
    if len(all_names) == 308:
        for label, start, stop in _FACE_308:
            color = _EYEBROWS.get(label) or tuple(meta['keypoint_colors'][start].tolist())
            chosen = [index_of[n] for n in all_names[start:stop] if n in index_of]
            for index in chosen:
                colors[index], sizes[index] = color, _FACE_SIZE
            if chosen:
                entries.append((label, color))
    links: list[tuple[int, int]] = []
    link_colors: list[Color] = []
    for (a, b), color in zip(meta['skeleton_links'], meta['skeleton_link_colors'], strict=True):
        if all_names[a] in index_of and all_names[b] in index_of:
            links.append((index_of[all_names[a]], index_of[all_names[b]]))
            red, green, blue = (int(value) for value in color)
            link_colors.append((red, green, blue))
    return SkeletonStyle(colors, links, link_colors, sizes, entries)


def _side(name: str) -> Color:
    if name.startswith(('left_', 'l_')):
        return LEFT
    return RIGHT if name.startswith(('right_', 'r_')) else MIDDLE


def _is_face(name: str, all_names: Sequence[str]) -> bool:
    return len(all_names) == 308 and name in all_names and all_names.index(name) >= 70


def _size(name: str) -> float:
    if name.startswith('face'):
        return _FACE_SIZE
    fingers = ('thumb', 'finger', 'forefinger', 'hand', 'index', 'pinky', 'ring', 'middle_')
    return _HAND_SIZE if any(word in name for word in fingers) else 1.0
