# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import copy
import json
import pickle

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from sapiens_common.layouts.goliath308 import group_ids
from sapiens_pose.datasets import (
    CheckedCocoDataset,
    CheckedCocoWholeBodyDataset,
    GoliathDataset,
    NameMatchedDataset,
)
from sapiens_pose.layouts import keypoint_names

WIDTH, HEIGHT = 120, 160


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmpose')


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def make_points(rng, count):
    xy = rng.uniform([10, 20], [100, 150], (count, 2))
    return np.concatenate([xy, np.full((count, 1), 2)], axis=1).round(2)


def write_set(folder, annotations, grey=()):
    """Images 1..N, one per annotation, and the annotations file; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    images = []
    for index, annotation in enumerate(annotations, start=1):
        name = f'{index:06d}.jpg'
        picture = rng.integers(
            0, 255, (HEIGHT // 8, WIDTH // 8, 1 if index in grey else 3), np.uint8
        )
        picture = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / name), picture)
        images.append({'id': index, 'file_name': name, 'width': WIDTH, 'height': HEIGHT})
        annotation.update(id=100 + index, image_id=index, category_id=1, iscrowd=0)
    content = {
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'person'}],
    }
    path = folder / 'annotations.json'
    path.write_text(json.dumps(content))
    return path


def rewrite(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def open_set(cls, path, **kwargs):
    settings = {'ann_file': str(path), 'data_prefix': {'img': f'{path.parent}/'}, **kwargs}
    return cls(**settings)


def coco_annotation(points):
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    box = [*low.tolist(), *(high - low).tolist()]
    return {
        'keypoints': points.ravel().tolist(),
        'num_keypoints': int((points[:, 2] > 0).sum()),
        'bbox': box,
        'area': 0.5 * box[2] * box[3],
    }


def humans5k_annotation(points):
    groups = group_ids()
    keys = ('keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')
    annotation = coco_annotation(points)
    for key, ids in zip(keys, groups.values(), strict=True):
        annotation[key] = points[ids].ravel().tolist()
    annotation['goliath_wholebody_kpts'] = points.ravel().tolist()
    return annotation


def test_three_forms_give_the_same_people(tmp_path, rng):
    points = make_points(rng, 308)
    raw = np.full((344, 3), 7.0)  # teeth are labelled, and inside the box of the others or not
    from sapiens_common.layouts.goliath308 import kept_raw_ids

    raw[kept_raw_ids()] = points
    raw_annotation = {**coco_annotation(points), 'keypoints': raw.ravel().tolist()}
    forms = {
        'flat': coco_annotation(points),
        'humans5k': humans5k_annotation(points),
        'raw': raw_annotation,
    }
    for test_mode in (True, False):
        read = []
        for name, annotation in forms.items():
            path = write_set(tmp_path / name, [copy.deepcopy(annotation)])
            read.append(open_set(GoliathDataset, path, test_mode=test_mode).get_data_info(0))
        for sample in read:
            np.testing.assert_allclose(sample['keypoints'][0], points[:, :2], rtol=1e-6)
            np.testing.assert_array_equal(sample['keypoints_visible'], np.ones((1, 308)))
            np.testing.assert_allclose(sample['bbox'], read[0]['bbox'])
            assert 'raw_ann_info' not in sample


def test_training_rules_of_308_points(tmp_path, rng, caplog):
    points = make_points(rng, 308)
    points[0, :2] = 0, 50  # on the border
    points[1, :2] = 60, HEIGHT
    points[2, :2] = -5, 60
    points[3, 2] = 0
    few = make_points(rng, 308)
    few[7:, 2] = 0
    annotations = [coco_annotation(points), coco_annotation(few)]
    annotations[0]['bbox'] = [0, 0, WIDTH, HEIGHT]
    path = write_set(tmp_path / 'set', annotations)
    dataset = open_set(GoliathDataset, path)
    assert len(dataset) == 1
    sample = dataset.get_data_info(0)
    np.testing.assert_array_equal(np.flatnonzero(sample['keypoints_visible'][0] == 0), range(4))
    tight = [*points[4:, :2].min(0), *points[4:, :2].max(0)]
    np.testing.assert_allclose(sample['bbox'][0], tight, rtol=1e-6)

    evaluated = open_set(GoliathDataset, path, test_mode=True)
    assert len(evaluated) == 2
    np.testing.assert_allclose(evaluated.get_data_info(0)['bbox'][0], [0, 0, 119, 159])


@pytest.mark.parametrize('defer', [False, True])
def test_greyscale_training_photos_are_replaced(tmp_path, rng, defer):
    annotations = [humans5k_annotation(make_points(rng, 308)) for _ in range(3)]
    path = write_set(tmp_path / 'set', annotations, grey=(1, 3))
    pipeline = [
        {'type': 'sapiens_pose.LoadPersonImage', 'defer': defer},
        {'type': 'GetBBoxCenterScale'},
        {'type': 'sapiens_pose.DecodeTopdownAffine', 'input_size': (48, 64), 'use_udp': True},
    ]
    dataset = open_set(GoliathDataset, path, pipeline=pipeline)
    assert [dataset[index]['img_id'] for index in range(3)] == [2, 2, 2]
    evaluated = open_set(GoliathDataset, path, pipeline=pipeline, test_mode=True)
    assert [evaluated[index]['img_id'] for index in range(3)] == [1, 2, 3]


def test_sets_are_mixed_by_name(tmp_path, rng):
    body, whole = make_points(rng, 17), make_points(rng, 308)
    paths = [
        write_set(tmp_path / 'coco', [coco_annotation(body)]),
        write_set(tmp_path / 'goliath', [humans5k_annotation(whole)]),
    ]
    dataset = NameMatchedDataset(
        layout='goliath',
        datasets=[
            {
                'type': f'sapiens_pose.{name}',
                'ann_file': str(path),
                'data_prefix': {'img': f'{path.parent}/'},
            }
            for name, path in zip(('CheckedCocoDataset', 'GoliathDataset'), paths, strict=True)
        ],
        pipeline=short_pipeline(),
    )
    assert len(dataset) == 2
    names, coco_names = keypoint_names('goliath'), keypoint_names('coco')
    labels = [dataset[index]['data_samples'].gt_instance_labels for index in range(2)]
    assert [tuple(label.keypoints.shape) for label in labels] == [(1, 308, 2)] * 2
    assert (labels[1].keypoint_weights == 1).all()
    labelled = [names[i] for i in np.flatnonzero(labels[0].keypoint_weights[0].numpy())]
    assert sorted(labelled) == sorted(coco_names)
    expected = dataset.datasets[0][0]['keypoints'][0]
    for name in coco_names:
        np.testing.assert_allclose(expected[names.index(name)], body[coco_names.index(name), :2])


def test_all_three_readers_are_mixed_as_documented(tmp_path, rng, root):
    text = (root / 'docs/pose.md').read_text(encoding='utf-8')
    assert "type='sapiens_pose.NameMatchedDataset', layout='goliath'" in text
    body, whole = make_points(rng, 17), make_points(rng, 308)
    annotations = {
        'CheckedCocoDataset': coco_annotation(body),
        'CheckedCocoWholeBodyDataset': wholebody_annotation(rng, body),
        'GoliathDataset': humans5k_annotation(whole),
    }
    sets = []
    for name, annotation in annotations.items():
        path = write_set(tmp_path / name, [annotation])
        prefix = {'img': f'{path.parent}/'}
        sets.append({'type': f'sapiens_pose.{name}', 'ann_file': str(path), 'data_prefix': prefix})
    recipe = Config.fromfile(root / 'configs/pose/sapiens_tiny_goliath.py')
    for pipeline in (short_pipeline(), recipe.train_dataloader.dataset.pipeline):
        dataset = NameMatchedDataset(layout='goliath', datasets=sets, pipeline=pipeline)
        samples = [dataset[index]['data_samples'].gt_instance_labels for index in range(3)]
        assert all(tuple(labels.keypoints.shape) == (1, 308, 2) for labels in samples)
        counts = [int((labels.keypoint_weights > 0).sum()) for labels in samples]
        assert counts[0] <= 17 and 4 <= counts[1] <= 53 < counts[2]
        if len(pipeline) == 4:  # nothing is at random
            assert counts == [17, 53, 308]


def wholebody_annotation(rng, body):
    annotation = coco_annotation(body)
    for key, count in list(CheckedCocoWholeBodyDataset.KEYPOINT_KEYS.items())[1:]:
        annotation[key] = make_points(rng, count).ravel().tolist()
    return annotation


def short_pipeline():
    """Loading and cropping of a recipe, without its augmentation."""
    return [
        {'type': 'sapiens_pose.LoadPersonImage'},
        {'type': 'GetBBoxCenterScale', 'padding': 1.25},
        {'type': 'TopdownAffine', 'input_size': (48, 64), 'use_udp': True},
        {'type': 'sapiens_pose.PackKeypoints'},
    ]


def test_a_set_without_a_shared_name_is_an_error(tmp_path, rng):
    path = write_set(tmp_path / 'set', [coco_annotation(make_points(rng, 17))])
    metainfo = {
        'dataset_name': 'mine',
        'keypoint_info': {0: {'name': 'tail', 'id': 0, 'swap': '', 'type': ''}},
        'skeleton_info': {},
        'joint_weights': [1.0],
        'sigmas': [0.05],
    }
    sets = [{'type': 'sapiens_pose.CheckedCocoDataset', 'ann_file': str(path)}]
    with pytest.raises(ValueError, match='no keypoint name is shared'):
        NameMatchedDataset(layout=metainfo, datasets=sets)


def test_training_sample_of_the_largest_recipe_is_small(tmp_path, rng, root):
    path = write_set(tmp_path / 'set', [humans5k_annotation(make_points(rng, 308))])
    config = Config.fromfile(root / 'configs/pose/sapiens_1b_goliath.py').train_dataloader.dataset
    config.update(data_root='', ann_file=str(path), data_prefix={'img': f'{path.parent}/'})
    sample = DATASETS.build(config)[0]
    assert sample['inputs'].shape == (3, 1024, 768) and sample['inputs'].element_size() == 1
    assert len(pickle.dumps(sample)) < 3e6
    labels = sample['data_samples'].gt_instance_labels
    assert sorted(labels.keys()) == ['keypoint_weights', 'keypoints']
    assert 'gt_fields' not in sample['data_samples']


ERRORS = [
    (lambda a: a.pop('bbox'), "expected the key 'bbox', it is missing"),
    (lambda a: a.pop('keypoints'), "expected the key 'keypoints', it is missing"),
    (lambda a: a.update(bbox=[200, 10, 30, 40]), r'bbox \[200, 10, 30, 40\] lies outside its image of 120 x 160'),
    (lambda a: a.update(bbox=[10, 10, 0, 40]), 'expected a bbox with positive width and height'),
    (lambda a: a.update(keypoints=[1.0] * 48), "expected 17 x 3 values in 'keypoints', got 48"),
    (lambda a: a['keypoints'].__setitem__(4, float('nan')), "expected finite numbers in 'keypoints'"),
]  # fmt: skip


@pytest.mark.parametrize('damage, message', ERRORS)
def test_a_bad_annotation_is_named_when_it_is_used(tmp_path, rng, damage, message):
    annotations = [coco_annotation(make_points(rng, 17)) for _ in range(2)]
    damage(annotations[1])
    path = write_set(tmp_path / 'set', annotations)
    for test_mode in (False, True):
        dataset = open_set(CheckedCocoDataset, path, pipeline=short_pipeline(), test_mode=test_mode)
        assert len(dataset) == 2
        dataset[0]
        with pytest.raises(ValueError, match=f'annotation 102 of 000002.jpg: {message}'):
            dataset[1]


def test_points_of_ones_own(tmp_path, rng):
    path = write_set(
        tmp_path / 'set', [coco_annotation(make_points(rng, count)) for count in (2, 3)]
    )
    metainfo = {
        'dataset_name': 'mine',
        'keypoint_info': {
            0: {'name': 'left_tip', 'id': 0, 'swap': 'right_tip', 'type': ''},
            1: {'name': 'right_tip', 'id': 1, 'swap': 'left_tip', 'type': ''},
        },
        'skeleton_info': {},
        'joint_weights': [1.0, 1.0],
        'sigmas': [0.05, 0.05],
    }
    dataset = open_set(CheckedCocoDataset, path, metainfo=metainfo)
    assert dataset.get_data_info(0)['flip_indices'] == [1, 0]
    with pytest.raises(
        ValueError, match="annotation 102 .*expected 2 x 3 values in 'keypoints', got 9"
    ):
        dataset.get_data_info(1)


def test_wholebody_needs_its_five_keys(tmp_path, rng):
    annotation = wholebody_annotation(rng, make_points(rng, 17))
    annotation.pop('num_keypoints')
    path = write_set(tmp_path / 'set', [annotation, {**annotation}])
    rewrite(path, lambda content: content['annotations'][1].pop('face_kpts'))
    dataset = open_set(CheckedCocoWholeBodyDataset, path)
    assert dataset.get_data_info(0)['keypoints'].shape == (1, 133, 2)
    with pytest.raises(ValueError, match="annotation 102 .*expected the key 'face_kpts'"):
        dataset.get_data_info(1)


def test_goliath_annotations_of_another_length_are_named(tmp_path, rng):
    path = write_set(tmp_path / 'set', [coco_annotation(make_points(rng, 133))])
    dataset = open_set(GoliathDataset, path)
    with pytest.raises(
        ValueError, match="expected 308 x 3 or 344 x 3 values in 'keypoints', got 399"
    ):
        dataset.get_data_info(0)


@pytest.mark.parametrize('value', ['text', 5, ['a'] * 924, [[1, 2], [3]]])
@pytest.mark.parametrize('cls, count', [(GoliathDataset, 308), (CheckedCocoWholeBodyDataset, 17)])
def test_keypoints_of_a_wrong_kind_cost_one_annotation(tmp_path, rng, cls, count, value):
    annotations = [coco_annotation(make_points(rng, count)) for _ in range(2)]
    for annotation in annotations:
        del annotation['num_keypoints']
        for key, number in list(CheckedCocoWholeBodyDataset.KEYPOINT_KEYS.items())[1:]:
            annotation[key] = make_points(rng, number).ravel().tolist()
    annotations[1]['keypoints'] = value
    path = write_set(tmp_path / 'set', annotations)
    for test_mode in (False, True):
        dataset = open_set(cls, path, test_mode=test_mode)
        dataset.get_data_info(0)
        with pytest.raises(ValueError, match=r'annotations\.json: annotation 102 of 000002.jpg'):
            dataset.get_data_info(1)


def test_crowds_are_not_counted_as_people_with_few_points(tmp_path, rng, monkeypatch):
    annotations = [coco_annotation(make_points(rng, 308)) for _ in range(2)]
    path = write_set(tmp_path / 'set', annotations)
    rewrite(path, lambda c: c['annotations'][1].update(iscrowd=1, keypoints=[0] * 924))
    said = []
    monkeypatch.setattr(MMLogger, 'info', lambda logger, text: said.append(text))
    assert len(open_set(GoliathDataset, path)) == 1
    assert said == []


@pytest.mark.parametrize('damage', ['torn', 'missing'])
def test_a_broken_photo_is_named(tmp_path, rng, damage):
    path = write_set(tmp_path / 'set', [coco_annotation(make_points(rng, 17))])
    photo = path.parent / '000001.jpg'
    if damage == 'torn':
        photo.write_bytes(b'not a picture')
    else:
        photo.unlink()
    dataset = open_set(CheckedCocoDataset, path, pipeline=short_pipeline())
    message = {'torn': 'cannot be decoded', 'missing': 'does not exist'}[damage]
    with pytest.raises(ValueError, match=f'image .*000001.jpg {message}'):
        dataset[0]


def test_incomplete_files_are_named(tmp_path, rng):
    path = write_set(tmp_path / 'set', [coco_annotation(make_points(rng, 17))])
    rewrite(path, lambda content: content['annotations'][0].pop('image_id'))
    with pytest.raises(ValueError, match=r"annotations\[0\] \(id 101\) lacks \['image_id'\]"):
        open_set(CheckedCocoDataset, path)
    with pytest.raises(
        ValueError, match='annotation file .*nowhere.json does not exist; set data_root'
    ):
        open_set(CheckedCocoDataset, path.parent / 'nowhere.json')


@pytest.mark.parametrize('defer', [True, False])
@pytest.mark.parametrize(
    ('size', 'message'),
    [((HEIGHT, WIDTH), 'without regard to its EXIF orientation'), ((240, 320), 'of the file that')],
)
def test_a_picture_of_another_size_than_its_annotations(tmp_path, rng, defer, size, message):
    points = make_points(rng, 17)
    path = write_set(tmp_path, [{'keypoints': points.ravel().tolist(), 'bbox': [5, 5, 100, 110]}])
    rewrite(path, lambda content: content['images'][0].update(width=size[0], height=size[1]))
    load = {'type': 'sapiens_pose.LoadPersonImage', 'defer': defer}
    dataset = CheckedCocoDataset(str(path), data_prefix={'img': str(tmp_path)}, pipeline=[load])
    with pytest.raises(ValueError, match=f'is {HEIGHT} x {WIDTH} .height x width.*{message}'):
        dataset[0]
