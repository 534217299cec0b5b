# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Metadata of a user's own keypoints: mirror partners, sigmas, skeleton, and every way to be wrong."""

import json
import subprocess
import sys

import pytest
from data_checks import own_layout as metainfo
from hypothesis import given
from hypothesis import strategies as st

from sapiens_common.layouts.goliath308 import goliath308_metainfo, load_goliath308
from sapiens_common.layouts.sides import mirrored_name, side_of

COCO = [
    'nose',
    'left_eye',
    'right_eye',
    'left_shoulder',
    'right_shoulder',
    'badge',
]


def coco_file(tmp_path, keypoints=None, **changes):
    category = {
        'id': 1,
        'name': 'person',
        'keypoints': keypoints or COCO,
        'skeleton': [[1, 2], [4, 5]],
    }
    content = {'images': [], 'annotations': [], 'categories': [category], **changes}
    path = tmp_path / 'annotations.json'
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ('name', 'side', 'mirrored'),
    [
        ('left_eye', 'left', 'right_eye'),
        ('eye_right', 'right', 'eye_left'),
        ('Left Eye', 'left', 'Right Eye'),
        ('L_WRIST', 'left', 'R_WRIST'),
        ('wrist.r', 'right', 'wrist.l'),
        ('LWrist', 'left', 'RWrist'),
        ('wristLeft', 'left', 'wristRight'),
        ('LEFT-EAR', 'left', 'RIGHT-EAR'),
        ('nose', '', 'nose'),
        ('upright', '', 'upright'),
        ('collar', '', 'collar'),
        ('cleft', '', 'cleft'),
        ('linkes_auge_ü', '', 'linkes_auge_ü'),
    ],
)
def test_sides_of_names(name, side, mirrored):
    assert side_of(name) == side
    assert mirrored_name(name) == mirrored


@given(st.text(max_size=30))
def test_mirroring_twice_gives_the_name(name):
    assert mirrored_name(mirrored_name(name)) == name


def test_partners_of_the_308_keypoints():
    # Around eyes and lips the published partners cross over: the table counts, not the names.
    points = load_goliath308()['keypoints']
    category = {'keypoints': [point['name'] for point in points]}
    made = metainfo.make_metainfo(category, 'again', allow_unpaired=True)
    for point, ours in zip(points, made['keypoint_info'].values(), strict=True):
        assert ours['swap'] == (point['swap'] or '')
    assert made['sigmas'] == [point['sigma'] for point in points]
    assert metainfo.find_metainfo_problems(made) == []


def test_made_from_a_coco_file(tmp_path):
    category = metainfo.read_category(coco_file(tmp_path))
    info = metainfo.make_metainfo(category, 'mine', default_sigma=0.07)
    points = info['keypoint_info']
    assert points[1]['swap'] == 'right_eye'
    assert points[0]['swap'] == points[5]['swap'] == ''
    assert info['sigmas'] == [0.026, 0.025, 0.025, 0.079, 0.079, 0.07]
    assert points[3]['type'] == 'upper'
    assert info['skeleton_info'][0]['link'] == ('nose', 'left_eye')
    assert metainfo.find_metainfo_problems(info) == []


def test_mmpose_reads_the_file(tmp_path):
    parse = pytest.importorskip('mmpose.datasets.datasets.utils').parse_pose_metainfo
    info = metainfo.make_metainfo(metainfo.read_category(coco_file(tmp_path)), 'mine')
    path = tmp_path / 'mine.py'
    metainfo.write_metainfo(info, path, 'annotations.json')
    assert metainfo.read_metainfo(path) == info
    parsed = parse({'from_file': str(path)})
    assert parsed['num_keypoints'] == 6
    assert parsed['flip_indices'] == [0, 2, 1, 4, 3, 5]
    assert parsed['skeleton_links'] == [(0, 1), (3, 4)]


def test_the_published_layout_has_no_problems():
    goliath = goliath308_metainfo()
    assert metainfo.find_metainfo_problems(goliath) == []


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'categories': []}, 'no category has a list "keypoints"'),
        ({'categories': [{'name': 'person'}]}, 'no category has a list "keypoints"'),
        (
            {'categories': [{'name': 'a', 'keypoints': ['x']}, {'name': 'b', 'keypoints': ['y']}]},
            r"choose --category from \['a', 'b'\]",
        ),
        (
            {'annotations': [{'id': 5, 'category_id': 1, 'keypoints': [1, 2, 2]}]},
            'annotation 5 has 3 values.*expected 3 x 6',
        ),
        ({'annotations': [{'id': 5, 'category_id': 1, 'keypoints': 7}]}, 'annotation 5 has 7 in'),
        ({'annotations': None}, 'json: "annotations" must be a list of objects'),
        ({'annotations': [7]}, 'json: "annotations" must be a list of objects'),
    ],
)
def test_bad_files_are_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        metainfo.read_category(coco_file(tmp_path, **changes))


@pytest.mark.parametrize('text', ['', '[]', '{"a": 1}', 'not json', '{"categories": 3}'])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / 'annotations.json'
    path.write_text(text)
    with pytest.raises(ValueError, match='annotations.json'):
        metainfo.read_category(path)
    with pytest.raises(ValueError, match='missing.json does not exist'):
        metainfo.read_category(tmp_path / 'missing.json')


@pytest.mark.parametrize(
    ('category', 'message'),
    [
        ({'keypoints': ['a', 'a']}, r"stand twice: \['a'\]"),
        ({'keypoints': ['left_eye', 'nose']}, 'left_eye .no right_eye.'),
        ({'keypoints': ['a', 'b'], 'skeleton': [[0, 1]]}, 'counts keypoints from 1'),
        ({'keypoints': ['a', 'b'], 'skeleton': [[1, 3]]}, 'from 1 to 2'),
    ],
)
def test_bad_categories_are_named(category, message):
    with pytest.raises(ValueError, match=message):
        metainfo.make_metainfo(category, 'mine')


def test_unpaired_points_by_wish():
    info = metainfo.make_metainfo({'keypoints': ['left_eye']}, 'mine', allow_unpaired=True)
    assert info['keypoint_info'][0]['swap'] == ''


def change(info, edit):
    edit(info)
    return info


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (lambda i: i.pop('sigmas'), r"missing keys \['sigmas'\]"),
        (lambda i: i['sigmas'].pop(), 'sigmas: 5 values for 6 keypoints'),
        (lambda i: i['sigmas'].__setitem__(0, 0.0), 'sigmas: values must be finite and positive'),
        (
            lambda i: i['sigmas'].__setitem__(0, 'wide'),
            'sigmas: values must be finite and positive',
        ),
        (
            lambda i: i['keypoint_info'][1].pop('name'),
            "keypoint_info: must be a dict of dicts with 'name'",
        ),
        (
            lambda i: i['skeleton_info'].update({0: []}),
            "skeleton_info: must be a dict of dicts with 'link'",
        ),
        (lambda i: i['joint_weights'].__setitem__(0, float('nan')), 'joint_weights: values must'),
        (lambda i: i['keypoint_info'][1].update(swap='nose'), 'flipping twice'),
        (lambda i: i['keypoint_info'][1].update(swap='knee'), "swap 'knee' is not a keypoint"),
        (
            lambda i: [i['keypoint_info'][k].update(swap='') for k in (1, 2)],
            'left_eye: has no swap',
        ),
        (lambda i: i['keypoint_info'][0].update(name='badge'), 'stand twice'),
        (
            lambda i: i['keypoint_info'].update({9: i['keypoint_info'].pop(5)}),
            'keys must be 0 to 5',
        ),
        (lambda i: i['skeleton_info'][0].update(link=('nose', 'x')), r"no keypoint \['x'\]"),
    ],
)
def test_validator_finds(edit, message):
    info = change(metainfo.make_metainfo({'keypoints': COCO, 'skeleton': [[1, 2]]}, 'mine'), edit)
    import re

    problems = metainfo.find_metainfo_problems(info)
    assert any(re.search(message, problem) for problem in problems), problems


def test_files_that_are_no_metainfo(tmp_path):
    with pytest.raises(ValueError, match='does not exist'):
        metainfo.read_metainfo(tmp_path / 'a.py')
    (tmp_path / 'a.py').write_text('x = 1\n')
    with pytest.raises(ValueError, match='does not define dataset_info'):
        metainfo.read_metainfo(tmp_path / 'a.py')
    with pytest.raises(ValueError, match=r'ends in \.py'):
        metainfo.write_metainfo({}, tmp_path / 'a.json', 'x')


def test_the_command(root, tmp_path):
    tool = [sys.executable, str(root / 'tools/data/make_metainfo.py')]
    out = tmp_path / 'my points.py'
    made = subprocess.run([*tool, coco_file(tmp_path), out], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert '6 keypoints, 2 mirror pairs, 2 links, 0 problems' in made.stdout
    out.write_text(out.read_text().replace("'swap': 'left_eye'", "'swap': 'nose'"))
    checked = subprocess.run([*tool, '--check', out], capture_output=True, text=True)
    assert checked.returncode == 1
    assert 'PROBLEM left_eye: swaps with right_eye, but right_eye swaps with nose' in checked.stdout


@given(st.lists(st.sampled_from(['eye', 'ear', 'hip', 'knee', 'toe']), unique=True, min_size=1))
def test_made_layouts_are_involutions(parts):
    names = [f'{side}_{part}' for part in parts for side in ('left', 'right')] + ['nose']
    info = metainfo.make_metainfo({'keypoints': names}, 'random')
    assert metainfo.find_metainfo_problems(info) == []
    assert all(mirrored_name(mirrored_name(name)) == name for name in names)
