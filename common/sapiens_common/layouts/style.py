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

_EYEBROWS: dict[str, Color] = {'right eyebrow': (255, 190, 120), 'left eyebrow': (150, 240, 170)}
_FACE_SIZE = 0.4
_HAND_SIZE = 0.6
_HAND_WORDS = ('thumb', 'finger', 'forefinger', 'hand', 'index', 'pinky', 'ring', 'middle_')


def skeleton_style(
    names: Sequence[str],
    links: Sequence[tuple[str, str]] = (),
    link_colors: Sequence[Sequence[int]] = (),
) -> SkeletonStyle:
    """How keypoints of these names are drawn.

    Left is green, right orange, the middle blue; the parts of the 308 layout's face have the layout's own
    colours and small points, the hands' points are between.

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
    for part, part_names in face_parts().items():
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
def goliath308_style() -> SkeletonStyle:
    """The drawing of all 308 keypoints."""
    table = load_goliath308()
    links = [link['link'] for link in table['skeleton']]
    colors = [link['color'] for link in table['skeleton']]
    return skeleton_style([point['name'] for point in table['keypoints']], links, colors)


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
    """Colour of each keypoint of the face; its eyebrows, white in the layout, would not be told apart."""
    colors = {point['name']: _rgb(point['color']) for point in load_goliath308()['keypoints']}
    return {
        name: _EYEBROWS.get(part) or colors[names[0]]
        for part, names in face_parts().items()
        for name in names
    }


def _rgb(color: Sequence[int]) -> Color:
    red, green, blue = (int(value) for value in color)
    return red, green, blue


def _size(name: str) -> float:
    """Relative radius: the dense points of faces and hands are smaller than joints."""
    if name.startswith('face'):
        return _FACE_SIZE
    return _HAND_SIZE if any(word in name for word in _HAND_WORDS) else 1.0
