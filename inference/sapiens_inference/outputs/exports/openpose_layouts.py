# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""OpenPose's layouts in terms of keypoint names: BODY_25, the 18 points of ControlNet, hands, faces.

The names are those of the 308 layout, which COCO's 17 and COCO-WholeBody's 133 points share. Each entry
lists the names of one point: several are averaged, the first that the model knows is taken in the case
of :data:`Alternatives`.
"""

from __future__ import annotations

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
_FEET: tuple[Choice, ...] = tuple(
    ((f'{side}_{point}',),)
    for side in ('left', 'right')
    for point in ('big_toe', 'small_toe', 'heel')
)

BODY_25: tuple[Choice, ...] = (*_ARMS_AND_HEAD, (_HIPS,), *_LEGS, *_HEAD, *_FEET)
BODY_18: tuple[Choice, ...] = (*_ARMS_AND_HEAD, *_LEGS, *_HEAD)

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
