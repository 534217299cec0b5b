# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Annotation and box files of every shape: the error names file and entry, or the sample is left out."""

import copy
import json

import numpy as np
import pytest
from data_checks.own_layout import find_metainfo_problems, make_metainfo, read_category
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens_common.files.boxes import read_boxes_json
from sapiens_inference.inputs.boxes import GivenBoxes
from sapiens_inference.items import Item
from sapiens_pose.datasets import CheckedCocoDataset, CheckedCocoWholeBodyDataset, GoliathDataset


def coco():
    points = np.tile([20.0, 30.0, 2.0], 17)
    return {
        'images': [{'id': 1, 'file_name': 'a b.jpg', 'width': 48, 'height': 64}],
        'annotations': [
            {
                'id': 5,
                'image_id': 1,
                'category_id': 1,
                'iscrowd': 0,
                'num_keypoints': 17,
                'bbox': [4, 4, 40, 50],
                'area': 2000,
                'keypoints': points.tolist(),
            }
        ],
        'categories': [{'id': 1, 'name': 'person'}],
    }


def read(content, tmp_path, kind=CheckedCocoDataset):
    path = tmp_path / 'annotations.json'
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    dataset = kind(ann_file=str(path), data_prefix={'img': str(tmp_path)}, pipeline=[])
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def edit(where, key, value=None, remove=False):
    content = coco()
    entry = content[where][0]
    if remove:
        del entry[key]
    else:
        entry[key] = value
    return content


def twice(where):
    content = coco()
    content[where] = [*content[where], copy.deepcopy(content[where][0])]
    return content


BAD_ANNOTATIONS = {
    'no keypoints': edit('annotations', 'keypoints', remove=True),
    'no box': edit('annotations', 'bbox', remove=True),
    'no image id': edit('annotations', 'image_id', remove=True),
    'no file name': edit('images', 'file_name', remove=True),
    'no width': edit('images', 'width', remove=True),
    'too few points': edit('annotations', 'keypoints', [1, 2, 2]),
    'no triplets': edit('annotations', 'keypoints', [1] * 50),
    'nan': edit('annotations', 'keypoints', [float('nan')] * 51),
    'infinite box': edit('annotations', 'bbox', [0, 0, float('inf'), 3]),
    'box of three': edit('annotations', 'bbox', [0, 0, 3]),
    'empty box': edit('annotations', 'bbox', [4, 4, 0, 10]),
    'box outside': edit('annotations', 'bbox', [400, 4, 10, 10]),
    'box of text': edit('annotations', 'bbox', ['a', 'b', 'c', 'd']),
    'image id of another kind': edit('annotations', 'image_id', None),
    'id of another kind': edit('annotations', 'id', [1]),
    'file name of another kind': edit('images', 'file_name', 3),
    'width of another kind': edit('images', 'width', 'wide'),
    'nobody in the images': edit('annotations', 'image_id', 77),
    'annotation id twice': twice('annotations'),
    'image id twice': twice('images'),
}


@pytest.mark.parametrize('content', BAD_ANNOTATIONS.values(), ids=BAD_ANNOTATIONS.keys())
def test_bad_annotation(tmp_path, content):
    with pytest.raises(ValueError, match=r'annotations\.json'):
        read(content, tmp_path)


GOOD = json.dumps(coco()).encode()
BAD_CONTENTS = {
    'nothing': b'',
    'text': b'hello',
    'cut off': GOOD[:-40],
    'another encoding': GOOD.replace(b'a b.jpg', b'\xe4.jpg'),
    'utf-16': GOOD.decode().encode('utf-16'),
    'byte order mark': GOOD.decode().encode('utf-8-sig'),
    'without end': b'[' * 100_000,
    'null': None,
    'list': [],
    'number': 3,
    'no images': {'annotations': [], 'categories': []},
    'no annotations': {'images': []},
    'images as a dict': {**coco(), 'images': {}},
    'no list of annotations': {**coco(), 'annotations': None},
    'text as entries': {**coco(), 'annotations': ['a']},
    'images as text': {**coco(), 'images': ['a.jpg']},
    'nobody': {**coco(), 'annotations': []},
}
POSE_READERS = (CheckedCocoDataset, CheckedCocoWholeBodyDataset, GoliathDataset)


@pytest.mark.parametrize('kind', POSE_READERS)
@pytest.mark.parametrize('content', BAD_CONTENTS.values(), ids=BAD_CONTENTS.keys())
def test_bad_annotation_file(tmp_path, content, kind):
    with pytest.raises(ValueError, match=r'annotations\.json'):
        read(content, tmp_path, kind)


def test_extra_keys_do_no_harm(tmp_path):
    content = edit('annotations', 'mood', 'good')
    content['author'] = 'ü'
    assert len(read(content, tmp_path)) == 1


def test_annotations_of_missing_images_are_counted(tmp_path, warned):
    content = coco()
    content['annotations'].append({**content['annotations'][0], 'id': 6, 'image_id': 77})
    assert len(read(content, tmp_path)) == 1
    (text,) = warned
    assert '1 of 2 annotations are left out, their image_id is not among the images' in text


# ---- Box files of the evaluation, and of inference


def boxes(**changes):
    entry = {'image_id': 1, 'category_id': 1, 'bbox': [1, 2, 20, 30], 'score': 0.5, **changes}
    return [{key: value for key, value in entry.items() if value is not ...}]


BAD_BOXES = {
    'nothing': b'',
    'dict': {},
    'text as entries': ['a'],
    'no image': boxes(image_id=...),
    'no box': boxes(bbox=...),
    'no score': boxes(score=...),
    'no category': boxes(category_id=...),
    'image that is not there': boxes(image_id=7),
    'nan': boxes(bbox=[1, float('nan'), 3, 4]),
    'three numbers': boxes(bbox=[1, 2, 3]),
    'text as numbers': boxes(bbox=['1', '2', '3', '4']),
    'text as score': boxes(score='high'),
    'negative width': boxes(bbox=[1, 2, -3, 4]),
    'nobody': [],
}


def evaluate(content, tmp_path, kind=CheckedCocoDataset):
    files = {'annotations.json': coco(), 'boxes.json': content}
    for name, value in files.items():
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        (tmp_path / name).write_bytes(raw)
    paths = {'ann_file': 'annotations.json', 'bbox_file': 'boxes.json'}
    dataset = kind(
        data_prefix={'img': str(tmp_path)},
        pipeline=[],
        test_mode=True,
        **{key: str(tmp_path / name) for key, name in paths.items()},
    )
    return [dataset.get_data_info(index) for index in range(len(dataset))]


@pytest.mark.parametrize('kind', POSE_READERS)
@pytest.mark.parametrize('content', BAD_BOXES.values(), ids=BAD_BOXES.keys())
def test_bad_box_file(tmp_path, content, kind):
    with pytest.raises(ValueError, match=r'boxes\.json'):
        evaluate(content, tmp_path, kind)


def test_good_box_file(tmp_path):
    (sample,) = evaluate(boxes(mood='good'), tmp_path)
    assert sample['bbox'].tolist() == [[1, 2, 21, 32]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = [
    (where, key)
    for where, entries in coco().items()
    for key in entries[0]
    if where != 'categories' and key not in ('id', 'image_id', 'category_id')
]


@pytest.fixture(scope='module')
def reader(tmp_path_factory):
    path = tmp_path_factory.mktemp('fuzz') / 'annotations.json'
    path.write_text(json.dumps(coco()))
    return CheckedCocoDataset(
        ann_file=str(path), data_prefix={'img': str(path.parent)}, pipeline=[]
    )


@settings(max_examples=150, deadline=None)
@given(place=st.sampled_from(KEYS), value=JSON)
def test_fuzzed_annotations_are_read_or_named(reader, place, value):
    # Whatever stands under a key: the sample is read, left out by rule, or refused by name.
    content = edit(*place, value)
    image = {**content['images'][0], 'img_id': 1, 'img_path': 'a.jpg'}
    sample = reader.parse_data_info(
        {'raw_ann_info': content['annotations'][0], 'raw_img_info': image}
    )
    if sample is None:
        return
    if 'error' in sample:
        assert 'annotations.json: annotation 5' in sample['error']
    else:
        assert np.isfinite(np.asarray(sample['keypoints'], np.float64)).all()
        assert np.isfinite(np.asarray(sample['bbox'], np.float64)).all()


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(POSE_READERS), place=st.sampled_from([*KEYS, None]), value=JSON)
def test_fuzzed_files_are_read_or_named(tmp_path_factory, kind, place, value):
    # The whole way from the file, also where something else stands in the place of a whole section.
    content = edit(*place, value) if place else {**coco(), 'annotations': value}
    try:
        read(content, tmp_path_factory.getbasetemp(), kind)
    except ValueError as error:
        assert 'annotations.json' in str(error)


@settings(max_examples=100, deadline=None)
@given(value=JSON, wrap=st.sampled_from(['bare', 'named', 'detection', 'annotation', 'people']))
def test_fuzzed_boxes_of_inference_are_used_or_cost_one_image(tmp_path_factory, value, wrap):
    contents = {
        'bare': value,
        'named': {'a': value},
        'detection': [{'image_id': 'a', 'bbox': value, 'score': 1.0}],
        'annotation': {**coco(), 'annotations': [{'image_id': 1, 'bbox': value}]},
        'people': {'people': [{'box': value, 'box_score': 1.0}], 'source': {'name': 'a'}},
    }
    path = tmp_path_factory.getbasetemp() / 'boxes.json'
    path.write_text(json.dumps(contents[wrap]))
    try:
        given_boxes = GivenBoxes(read_boxes_json(path))
    except ValueError as error:
        assert 'boxes.json' in str(error)
        return
    item = Item(0, 'a', image=np.zeros((64, 48, 3), np.uint8))
    given_boxes([item])
    assert item.error is not None or np.isfinite(item.boxes.xyxy).all()


@settings(max_examples=100, deadline=None)
@given(value=JSON, key=st.sampled_from(['keypoints', 'skeleton', 'name', 'id', None]))
def test_fuzzed_categories_make_a_layout_or_an_error(tmp_path_factory, value, key):
    category = {'id': 1, 'name': 'person', 'keypoints': ['a', 'b'], 'skeleton': [[1, 2]]}
    content = {'categories': [{**category, key: value}] if key else value}
    path = tmp_path_factory.getbasetemp() / 'categories.json'
    path.write_text(json.dumps(content))
    try:
        info = make_metainfo(read_category(path), 'mine')
    except ValueError:
        return
    assert find_metainfo_problems(info) == []
