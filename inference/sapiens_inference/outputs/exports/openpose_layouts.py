# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""OpenPose's and COCO's layouts in terms of keypoint names: BODY_25, the 18 points of ControlNet, 17, hands, faces.

The names are those of the 308 layout, which COCO's 17 and COCO-WholeBody's 133 points share. Each entry
lists the names of one point: several are averaged, the first that the model knows is taken in the case
of :data:`Alternatives`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .run_folder import Person

_SHOULDERS = ('left_shoulder', 'right_shoulder')
_HIPS = ('left_hip', 'right_hip')

# A point is the mean of some names; where the model lacks them, the mean of the next choice.
Choice = tuple[tuple[str, ...], ...]

NECK: Choice = (('neck',), _SHOULDERS)

_ARMS_AND_HEAD: tuple[Choice, ...] = (
    (('nose',),),
    NECK,
    (('right_shoulder',),),
    (('right_elbow',),),
    (('right_wrist',),),
    (('left_shoulder',),),
    (('left_elbow',),),
    (('left_wrist',),),
)
_LEGS: tuple[Choice, ...] = tuple(
    ((f'{side}_{joint}',),) for side in ('right', 'left') for joint in ('hip', 'knee', 'ankle')
)
_HEAD: tuple[Choice, ...] = tuple(
    ((name,),) for name in ('right_eye', 'left_eye', 'right_ear', 'left_ear')
)
FEET: tuple[Choice, ...] = tuple(
    ((f'{side}_{point}',),)
    for side in ('left', 'right')
    for point in ('big_toe', 'small_toe', 'heel')
)

BODY_25: tuple[Choice, ...] = (*_ARMS_AND_HEAD, (_HIPS,), *_LEGS, *_HEAD, *FEET)
BODY_18: tuple[Choice, ...] = (*_ARMS_AND_HEAD, *_LEGS, *_HEAD)
_PAIRS = ('eye', 'ear', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')
COCO_17: tuple[Choice, ...] = (
    (('nose',),),
    *(((f'{side}_{joint}',),) for joint in _PAIRS for side in ('left', 'right')),
)

FINGERS = ('thumb', 'forefinger', 'middle_finger', 'ring_finger', 'pinky_finger')


def hand_21(side: str) -> tuple[Choice, ...]:
    """21 points of a hand: the root, then four of each finger from the palm to the tip.

    The 308 layout has no root and calls the knuckle ``<finger>_third_joint``: wrist and knuckle stand in.

    Args:
        side: ``left`` or ``right``, the person's own.
    """
    points: list[Choice] = [((f'{side}_hand_root',), (f'{side}_wrist',))]
    for finger in FINGERS:
        points.append(((f'{side}_{finger}1',), (f'{side}_{finger}_third_joint',)))
        points += [((f'{side}_{finger}{number}',),) for number in (2, 3, 4)]
    return tuple(points)


FACE_68: tuple[Choice, ...] = tuple(((f'face-{number}',),) for number in range(68))
FACE_70: tuple[Choice, ...] = (*FACE_68, (('r_center_of_pupil',),), (('l_center_of_pupil',),))
"""OpenPose's own face: the 68 points and the pupils."""


def convert_points(
    person: Person, names: Sequence[str], layout: Sequence[Choice]
) -> tuple[np.ndarray, np.ndarray]:
    """Points of another layout.

    Args:
        person: With K keypoints.
        names: Their K names.
        layout: Per point the names to average, and what stands in where the model lacks them.

    Returns:
        Points (N, 2) and scores (N,); NaN and 0 where the model has none of the names. The score of a
        mean is the lowest of its points.
    """
    ids = {name: index for index, name in enumerate(names)}
    points, scores = np.full((len(layout), 2), np.nan), np.zeros(len(layout))
    for row, choices in enumerate(layout):
        for wanted in choices:
            known = [ids[name] for name in wanted if name in ids]
            if len(known) == len(wanted) and np.isfinite(person.keypoints[known]).all():
                points[row] = person.keypoints[known].mean(0)
                scores[row] = person.scores[known].min()
                break
    return points, scores
