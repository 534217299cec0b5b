# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""One drawing of a keypoint layout, and one inference of left and right, for everybody."""

import numpy as np

from sapiens_common.layouts.body_parts import BODY_PART_NAMES, BODY_PART_SWAP_PAIRS
from sapiens_common.layouts.goliath308 import face_parts, links_among, load_goliath308
from sapiens_common.layouts.sides import SIDE_COLORS, mirrored_name, side_of
from sapiens_common.layouts.style import goliath308_style, metainfo_style, skeleton_style
from sapiens_common.visualization import draw_people

NAMES = tuple(point['name'] for point in load_goliath308()['keypoints'])


def test_sides_of_the_308_names_agree_with_their_mirror_partners():
    for point in load_goliath308()['keypoints']:
        if point['swap']:
            assert {side_of(point['name']), side_of(point['swap'])} in ({'left', 'right'}, {''})
        elif side_of(point['name']):  # the chin's corners and the like mirror onto themselves
            assert mirrored_name(point['name']) not in NAMES


def test_face_parts_are_one_side_each_and_together_the_face():
    parts = face_parts()
    grouped = [
        point['name'] for point in load_goliath308()['keypoints'] if point['group'] == 'face'
    ]
    assert [name for names in parts.values() for name in names] == grouped
    for part, names in parts.items():
        if side_of(part):
            assert {side_of(name) for name in names} == {side_of(part)}


def test_body_parts_pair_by_the_same_rule():
    for left, right in BODY_PART_SWAP_PAIRS:
        assert mirrored_name(BODY_PART_NAMES[left]) == BODY_PART_NAMES[right]
    assert len(BODY_PART_SWAP_PAIRS) == sum(side_of(name) == 'left' for name in BODY_PART_NAMES)


def test_the_308_points_are_drawn_alike_from_the_table_and_from_metainfo():
    style = goliath308_style()
    assert (len(style.colors), len(style.links), len(style.entries)) == (308, 65, 19)
    assert tuple(style.links) == links_among(NAMES)
    assert style.colors[NAMES.index('left_knee')] == SIDE_COLORS['left']
    assert style.sizes[NAMES.index('left_knee')] > style.sizes[NAMES.index('left_thumb4')]
    assert style.sizes[NAMES.index('left_thumb4')] > style.sizes[70]
    meta = {
        'keypoint_id2name': dict(enumerate(NAMES)),
        'skeleton_links': style.links,
        'skeleton_link_colors': np.array(style.link_colors),
    }
    assert metainfo_style(meta) == style


def test_links_of_points_that_are_not_drawn_are_left_out():
    style = skeleton_style(['right_hip', 'nose'], [('right_hip', 'left_hip')], [(1, 2, 3)])
    assert style.links == style.link_colors == []
    assert style.entries == [('right', SIDE_COLORS['right']), ('middle', SIDE_COLORS[''])]


def test_hidden_points_are_rings():
    image = np.full((200, 200, 3), 90, np.uint8)
    points = np.array([[[60.0, 100.0], [140.0, 100.0]]])
    boxes = np.array([[0, 0, 1200.0, 1200.0]])  # a large person: radius 4
    picture = draw_people(
        image,
        points,
        np.ones((1, 2)),
        boxes,
        skeleton_style(['left_knee', 'right_knee']),
        draw_boxes=False,
        hidden=np.array([[False, True]]),
    )
    assert picture[100, 60].tolist() == list(SIDE_COLORS['left'][::-1])
    assert picture[100, 140].tolist() == [90, 90, 90]
    assert (picture[90:110, 130:150] != 90).any()
