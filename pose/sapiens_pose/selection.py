# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Which keypoints of a model to decode, by layout, group, name or id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from sapiens_common.layouts.goliath308 import group_ids

from .layouts import keypoint_names, match_names

_WHOLEBODY_GROUPS = {
    'body': range(17),
    'foot': range(17, 23),
    'face': range(23, 91),
    'left_hand': range(91, 112),
    'right_hand': range(112, 133),
}
_LAYOUTS = {'coco': 17, 'coco_wholebody': 133, 'goliath': 308}


@dataclass
class Selection:
    """Points of a model and their places in the output.

    Attributes:
        ids: (S,) ids in the model's layout.
        slots: (S,) their positions among the K output points.
        names: K output names; those without a slot are points that the model does not have.
    """

    ids: np.ndarray
    slots: np.ndarray
    names: list[str]


def select_keypoints(
    meta: dict[str, Any], keypoints: str | Sequence[str | int] | None
) -> Selection:
    """Choose points.

    Args:
        meta: Parsed metainfo of the model's layout.
        keypoints: None for all; a layout by name (``coco``, ``coco_wholebody``, ``goliath``) or number of points
            (17, 133, 308, as text too); a group; or a list of groups, names and ids. Layouts are matched by
            name: 308 to 17 is complete, 308 to 133 has 53 points.

    Raises:
        ValueError: Unknown layout, group, name or id, of which the text lists those there are; or none
            at all.
    """
    names = list(meta['keypoint_id2name'].values())
    if keypoints is None:
        every = np.arange(len(names))
        return Selection(every, every, names)
    is_list = isinstance(keypoints, (list, tuple))
    if is_list and len(keypoints) == 1 and isinstance(keypoints[0], str):
        keypoints = keypoints[0]  # a list of one layout is that layout
    by_count = {str(count): layout for layout, count in _LAYOUTS.items()}
    layout = by_count.get(str(keypoints), keypoints)
    if isinstance(layout, str) and layout in _LAYOUTS:
        target = keypoint_names(layout)
        pairs = np.array(match_names(names, target))
        return Selection(pairs[:, 0], pairs[:, 1], target)
    wanted = [keypoints] if isinstance(keypoints, (str, Integral)) else list(keypoints)
    if not wanted:
        raise ValueError('keypoints: an empty choice; None takes all')
    groups = _groups(names)
    ids: list[int] = []
    for entry in wanted:
        if isinstance(entry, str) and entry in groups:
            ids += groups[entry]
        elif entry in names:
            ids.append(names.index(str(entry)))
        elif (
            isinstance(entry, Integral)
            and not isinstance(entry, bool)
            and 0 <= int(entry) < len(names)
        ):
            ids.append(int(entry))
        elif entry in (*_LAYOUTS, *by_count):
            raise ValueError(
                f'keypoints: the layout {entry!r} cannot be joined with others; give it alone, or groups '
                f'({", ".join(groups)}), names and ids'
            )
        else:
            raise ValueError(
                f'keypoints: {entry!r} is neither a layout ({", ".join(_LAYOUTS)}), nor a group '
                f'({", ".join(groups)}), a name such as {names[0]!r}, or an id below {len(names)}'
            )
    ids = list(dict.fromkeys(ids))
    return Selection(np.array(ids), np.arange(len(ids)), [names[index] for index in ids])


def _groups(names: list[str]) -> dict[str, list[int]]:
    """Groups of a layout that this suite knows; all points are one group of any other."""
    for layout in _LAYOUTS:
        if names == keypoint_names(layout):
            if layout == 'goliath':
                return group_ids()
            ranges = _WHOLEBODY_GROUPS if layout == 'coco_wholebody' else {'body': range(17)}
            return {group: list(ids) for group, ids in ranges.items()}
    return {'all': list(range(len(names)))}
