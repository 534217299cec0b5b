# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import numpy as np
import pytest
from mmpose.datasets import datasets
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from sapiens_common.layouts.goliath308 import drop_teeth, group_ids, load_goliath308
from sapiens_pose.datasets import NameMatchedDataset
from sapiens_pose.layouts import convert_keypoints, keypoint_names, layout_metainfo, match_names
from sapiens_pose.selection import select_keypoints

# Where the 308 points stand in COCO-17 and in the fingers of COCO-WholeBody, written down independently.
TO_COCO = [0, 1, 2, 3, 4, 5, 6, 7, 8, 62, 41, 9, 10, 11, 12, 13, 14]
FINGERS = [
    *(range(93, 96), range(97, 100), range(101, 104), range(105, 108), range(109, 112)),
    *(range(114, 117), range(118, 121), range(122, 125), range(126, 129), range(130, 133)),
]


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    return rng.uniform(0, 100, (3, 308, 2)), rng.uniform(0, 1, (3, 308))


def test_308_to_17_is_complete(people):
    keypoints, scores = people
    converted, converted_scores, missing = convert_keypoints(keypoints, scores, 'coco')
    np.testing.assert_array_equal(converted, keypoints[:, TO_COCO])
    np.testing.assert_array_equal(converted_scores, scores[:, TO_COCO])
    assert missing == []


def test_308_to_133_names_what_it_has_not(people):
    keypoints, scores = people
    converted, converted_scores, missing = convert_keypoints(keypoints, scores, 'coco_wholebody')
    mapped = np.isfinite(converted).all(axis=(0, 2))
    expected = {*range(23), *(i for finger in FINGERS for i in finger)}
    assert set(np.flatnonzero(mapped).tolist()) == expected and len(expected) == 53
    assert (converted_scores[:, ~mapped] == 0).all()
    names = keypoint_names('coco_wholebody')
    assert missing == [names[i] for i in range(133) if i not in expected]
    for target in expected:
        source = keypoint_names('goliath').index(names[target])
        np.testing.assert_array_equal(converted[:, target], keypoints[:, source])


def test_mapping_is_that_of_the_shared_table():
    table = [
        (point['id'], point['coco_wholebody_id'])
        for point in load_goliath308()['keypoints']
        if point['coco_wholebody_id'] is not None
    ]
    pairs = match_names(keypoint_names('goliath'), keypoint_names('coco_wholebody'))
    assert sorted(pairs) == sorted(table)


@pytest.mark.parametrize(
    ('name', 'count'), [('HalpeDataset', 54), ('UBody2dDataset', 53), ('HumanArt21Dataset', 17)]
)
def test_sets_that_mmpose_reads_share_names(name, count):
    # docs/public_data.md states these counts.
    info = parse_pose_metainfo(getattr(datasets, name).METAINFO)
    names = list(info['keypoint_id2name'].values())
    assert len(match_names(names, keypoint_names('goliath'))) == count


def test_lapa_shares_no_name():
    info = parse_pose_metainfo(datasets.LapaDataset.METAINFO)
    with pytest.raises(ValueError, match='no keypoint name is shared'):
        match_names(list(info['keypoint_id2name'].values()), keypoint_names('goliath'))


def test_344_to_308_drops_the_teeth():
    raw = np.arange(344 * 3).reshape(344, 3)
    kept = drop_teeth(raw)
    names = load_goliath308()['annotation_format']['names']
    assert kept.shape == (308, 3)
    assert 'teeth' not in {names[i] for i in kept[:, 0] // 3}
    assert (np.diff(kept[:, 0]) > 0).all()
    with pytest.raises(ValueError, match='expected 344 raw keypoints, got 308'):
        drop_teeth(kept)


def test_metainfo_of_the_308_layout():
    meta = layout_metainfo('goliath')
    flip = np.array(meta['flip_indices'])
    np.testing.assert_array_equal(flip[flip], np.arange(308))
    assert len(meta['skeleton_links']) == 65
    assert (len(meta['upper_body_ids']), len(meta['lower_body_ids'])) == (51, 12)
    np.testing.assert_allclose(
        meta['sigmas'][[0, 9, 18, 70, 307]], [0.026, 0.107, 0.092, 0.01, 0.01]
    )
    sizes = {name: len(ids) for name, ids in group_ids().items()}
    assert sizes == {'body': 17, 'foot': 6, 'face': 238, 'left_hand': 20, 'right_hand': 20}
    assert sorted(group_ids()['body']) == sorted(TO_COCO)


def test_metainfo_does_not_depend_on_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    layout_metainfo.cache_clear()
    assert layout_metainfo('coco')['num_keypoints'] == 17
    assert layout_metainfo('coco_wholebody')['num_keypoints'] == 133


def test_whole_pixels_become_floats_that_can_say_nan():
    whole = np.zeros((1, 308, 2), np.int64), np.zeros((1, 308))
    assert np.isnan(convert_keypoints(*whole, 'coco_wholebody')[0]).any()
    single = np.zeros((0, 308, 2), np.float32), np.zeros((0, 308), np.float32)
    converted, scores, _ = convert_keypoints(*single, 'coco')
    assert converted.dtype == scores.dtype == np.float32 and converted.shape == (0, 17, 2)


def test_selection_by_numbers_of_numpy_and_of_nothing():
    meta = layout_metainfo('coco')
    assert select_keypoints(meta, np.array([3, 1])).ids.tolist() == [3, 1]
    assert select_keypoints(meta, np.int64(3)).names == ['left_ear']
    with pytest.raises(ValueError, match='an empty choice; None takes all'):
        select_keypoints(meta, [])


def test_unknown_layouts_and_shapes():
    with pytest.raises(ValueError, match="layout 'coco18' is neither goliath nor one that mmpose"):
        keypoint_names('coco18')
    with pytest.raises(ValueError, match="layout 'coco18' is neither goliath nor one that mmpose"):
        NameMatchedDataset(layout='coco18', datasets=[])
    with pytest.raises(ValueError, match='layout goliath has 308 keypoints'):
        convert_keypoints(np.zeros((17, 2)), np.zeros(17), 'coco')
    with pytest.raises(ValueError, match='no keypoint name is shared'):
        match_names(['a'], ['b'])
