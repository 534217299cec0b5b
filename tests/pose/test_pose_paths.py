# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A path written in an annotation stays below its folder."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sapiens_pose.datasets.paths import leaves_root

INSIDE = ['a.jpg', 'a/b.jpg', './a.jpg', 'a/../b.jpg', '..a/b.jpg', 'a b/ü.jpg', 'a..jpg']
OUTSIDE = [
    '../a.jpg',
    'a/../../b.jpg',
    '..',
    '/etc/passwd',
    '..\\a.jpg',
    'a\\..\\..\\b.jpg',
    'C:\\a.jpg',
    'C:a.jpg',
    '\\\\server\\share\\a.jpg',
    '//server/share/a.jpg',
]


@pytest.mark.parametrize('name', INSIDE)
def test_inside(name):
    assert not leaves_root(name)


@pytest.mark.parametrize('name', OUTSIDE)
def test_outside(name):
    assert leaves_root(name)


@given(st.lists(st.sampled_from(['a', 'b', '..', '.', '']), min_size=1, max_size=8))
def test_agrees_with_walking(parts):
    depth, left = 0, parts[0] == '' and len(parts) > 1
    for part in parts:
        depth += {'..': -1, '.': 0, '': 0}.get(part, 1)
        left = left or depth < 0
    outside = leaves_root('/'.join(parts))
    assert outside <= left
    if parts[0] != '':
        assert outside == (_final_depth(parts) < 0)


def _final_depth(parts):
    stack = []
    for part in parts:
        if part == '..':
            stack.pop() if stack and stack[-1] != '..' else stack.append('..')
        elif part not in ('.', ''):
            stack.append(part)
    return -1 if stack and stack[0] == '..' else len(stack)


@pytest.mark.parametrize('name', OUTSIDE)
def test_pose_reader_refuses_the_sample(tmp_path, name):
    datasets = pytest.importorskip('sapiens_pose.datasets')
    content = {
        'images': [{'id': 1, 'file_name': name, 'width': 8, 'height': 8}],
        'annotations': [
            {
                'id': 5,
                'image_id': 1,
                'category_id': 1,
                'iscrowd': 0,
                'num_keypoints': 17,
                'bbox': [1, 1, 4, 4],
                'area': 16,
                'keypoints': [2, 2, 2] * 17,
            }
        ],
        'categories': [{'id': 1, 'name': 'person'}],
    }
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(content))
    dataset = datasets.CheckedCocoDataset(
        ann_file=str(path), data_prefix={'img': str(tmp_path)}, pipeline=[]
    )
    with pytest.raises(ValueError, match='annotation 5 of .*below the image folder'):
        dataset.get_data_info(0)
