# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every reader against every kind of bad file: one clear error that names the file.

Readers' own tests look at their formats; this table is what all of them share.
"""

import copy
import json
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sapiens_common.images import MAX_PIXELS, decode_image, read_image
from sapiens_common.transforms import LoadImage

pose_datasets = pytest.importorskip('sapiens_pose.datasets')


def png_bomb(side):
    """A few bytes that claim a huge picture."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    header = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
    data = chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(bytes(100))) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + data


def photo(suffix='.jpg'):
    image = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    return cv2.imencode(suffix, image)[1].tobytes()


BAD_IMAGES = {
    'truncated jpeg': ('a.jpg', photo()[:-500]),
    'truncated png': ('a.png', photo('.png')[:-500]),
    'jpeg header only': ('a.jpg', photo()[:64]),
    'zero bytes': ('a.jpg', b''),
    'text': ('a.jpg', b'this is no image' * 20),
    'html': ('a.png', b'<!DOCTYPE html><html><body>404</body></html>'),
    'zeros': ('a.jpg', bytes(5000)),
    'bomb': ('a.png', png_bomb(60_000)),
    'bomb below the limit of OpenCV': ('a.png', png_bomb(30_000)),
    'wrong extension and no image': ('a.jpg', json.dumps({'a': 1}).encode()),
}


def load_transform(path):
    return LoadImage().transform({'img_path': str(path)})


def load_for_inference(path):
    from sapiens_common.inference.images import read_photo

    return read_photo(path)


def load_for_pretraining(path):
    from sapiens_pretrain.data.dataset import ImageSet

    step = {'type': 'sapiens_pretrain.DecodeRandomResizedCrop', 'size': (32, 32)}
    listed = path.parent / 'list.txt'
    listed.write_text(path.name)
    return ImageSet(str(listed), [step])[0]


READERS = {
    'read_image': read_image,
    'LoadImage': load_transform,
    'inference': load_for_inference,
    'pretraining': load_for_pretraining,
}


@pytest.mark.parametrize('reader', READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize(('name', 'content'), BAD_IMAGES.values(), ids=BAD_IMAGES.keys())
def test_bad_image(tmp_path, reader, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    # Pretraining reads bytes by position; the loader adds the name (describe_sample).
    with pytest.raises((ValueError, OSError, Image.DecompressionBombError)) as error:
        reader(path)
    if reader is not load_for_pretraining:
        assert isinstance(error.value, ValueError)
        assert name in str(error.value)


@pytest.mark.parametrize('reader', READERS.values(), ids=READERS.keys())
def test_missing_image(tmp_path, reader):
    with pytest.raises((ValueError, OSError), match=r'a b ü\.jpg'):
        reader(tmp_path / 'a b ü.jpg')


@pytest.mark.parametrize('reader', READERS.values(), ids=READERS.keys())
def test_odd_names_and_wrong_extensions_are_read(tmp_path, reader):
    path = tmp_path / 'ein Bild — ü 写真.jpg'
    path.write_bytes(photo('.png'))  # a PNG that calls itself a JPEG
    reader(path)


def test_a_jpeg_without_its_end_marker_but_whole_is_accepted_or_named():
    whole = photo()
    try:
        decode_image(whole[:-2], 'a.jpg')
    except ValueError as error:
        assert 'a.jpg' in str(error)
    assert decode_image(whole + b'trailing metadata', 'a.jpg').shape == (64, 48, 3)


def test_the_limit_lies_above_cameras():
    assert 12_000 * 9_000 < MAX_PIXELS < 2**28


# ---- COCO-style annotations


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


def read(content, tmp_path):
    path = tmp_path / 'annotations.json'
    path.write_text(json.dumps(content))
    dataset = pose_datasets.CocoDataset(
        ann_file=str(path), data_prefix={'img': str(tmp_path)}, pipeline=[]
    )
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
    'annotation id twice': twice('annotations'),
    'image id twice': twice('images'),
}


@pytest.mark.parametrize('content', BAD_ANNOTATIONS.values(), ids=BAD_ANNOTATIONS.keys())
def test_bad_annotation(tmp_path, content):
    with pytest.raises(ValueError, match=r'annotations\.json'):
        read(content, tmp_path)


def test_extra_keys_do_no_harm(tmp_path):
    content = edit('annotations', 'mood', 'good')
    content['author'] = 'ü'
    assert len(read(content, tmp_path)) == 1


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
    return pose_datasets.CocoDataset(
        ann_file=str(path), data_prefix={'img': str(path.parent)}, pipeline=[]
    )


@settings(max_examples=300, deadline=None)
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
