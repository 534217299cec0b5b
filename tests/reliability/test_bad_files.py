# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every reader against every kind of bad file: one clear error that names the file.

Readers' own tests look at their formats; this table is what all of them share. A row is a file that
some task reads, a column what may be wrong with it.
"""

import io
import json
import os
import pickle
import struct
import zipfile
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens_common.files.headers import MAX_PIXELS
from sapiens_common.files.images import decode_image, read_ids, read_image
from sapiens_common.files.maps import read_array, read_mask, read_picture
from sapiens_depth_normal.datasets import DenseFolderDataset
from sapiens_inference.inputs.masks import find_masks
from sapiens_inference.inputs.photos import read_photo
from sapiens_inference.inputs.sources import decode, open_inputs
from sapiens_inference.items import Item
from sapiens_pose.datasets import CheckedCocoDataset
from sapiens_pretrain.data.dataset import ImageSet
from sapiens_pretrain.data.shards import pack_shard
from sapiens_seg.datasets import BodyPartDataset

HEIGHT, WIDTH = 64, 48
STEM = 'ein Bild — ü 写真'
IMAGE, MASK = f'images/{STEM}.jpg', f'masks/{STEM}.png'
LABELS = f'segmentations/{STEM}.png'


def picture(suffix, channels=3, low=0, high=256, dtype=np.uint8):
    shape = (HEIGHT, WIDTH, 3) if channels == 3 else (HEIGHT, WIDTH)
    values = np.random.default_rng(0).integers(low, high, shape).astype(dtype)
    return cv2.imencode(suffix, values)[1].tobytes()


def array(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def png_bomb(side):
    """A few bytes that claim a huge picture."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    header = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
    data = chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(bytes(100))) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + data


def array_header(shape):
    file = io.BytesIO()
    entry = {'descr': '<f4', 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(file, entry)
    return file.getvalue()


def zipped(content, compressed=True):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED if compressed else 0) as archive:
        archive.writestr('depth.npy', content)
    return file.getvalue()


class Payload:
    """Unpickling this would end the process."""

    def __reduce__(self):
        return os._exit, (3,)


DEPTH = np.full((HEIGHT, WIDTH), 2, np.float32)
PHOTO, PNG, MAP = picture('.jpg'), picture('.png'), array(DEPTH)

# ---- What can be wrong with any picture, whatever its name says, and with any array

PICTURES = {
    'zero bytes': b'',
    'text': b'this is no image' * 20,
    'html': b'<!DOCTYPE html><html><body>404</body></html>',
    'json': json.dumps({'a': 1}).encode(),
    'nothing but zeros': bytes(5000),
    'truncated jpeg': PHOTO[:-500],
    'header of a jpeg': PHOTO[:64],
    'truncated png': PNG[:-500],
    'header of a png': PNG[:33],
    'bomb': png_bomb(60_000),
    'bomb below the limit of OpenCV': png_bomb(30_000),
    'pickle': pickle.dumps(Payload()),
}
ARRAYS = {
    'zero bytes': b'',
    'text': b'this is no array' * 20,
    'truncated': MAP[:-500],
    'header alone': MAP[:128],
    'torn header': MAP[:40],
    'a size that no memory has': array_header((300_000, 300_000)) + bytes(100),
    'a negative size': MAP.replace(b'(64, 48)', b'(-1, 48)'),
    'objects with code': array(np.array([Payload()], object)),
    'pickle': pickle.dumps(Payload()),
    'text in an array': array(np.full((HEIGHT, WIDTH), 'a')),
    'complex numbers': array(DEPTH.astype(np.complex64)),
    'one number': array(np.float32(1)),
    'another size': array(DEPTH[1:]),
    'another shape': array(DEPTH[0]),
}
ARCHIVES = {
    'zero bytes': b'',
    'text': b'this is no archive',
    'truncated': zipped(MAP)[:-30],
    'a torn array': zipped(MAP[:-500]),
    'a size that no memory has': zipped(array_header((300_000, 300_000)) + bytes(100)),
    'objects with code': zipped(array(np.array([Payload()], object))),
    'damaged compression': zipped(MAP).replace(zipped(MAP)[60:90], bytes(30), 1),
}
MASK_ARRAYS = {name: content for name, content in ARRAYS.items() if name != 'header alone'}

# ---- What reads it


def write_set(root):
    """One sample in the layout of every task, under a name with spaces and foreign letters."""
    files = {
        IMAGE: PHOTO,
        MASK: picture('.png', 1, low=200),
        LABELS: picture('.png', 1, high=28),
        f'depths/{STEM}.npy': MAP,
        f'normals/{STEM}.npy': array(np.broadcast_to(np.float32([0, 0, 1]), (HEIGHT, WIDTH, 3))),
        'list.txt': f'{IMAGE}\n'.encode(),
    }
    for name, content in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)
    annotation = {'id': 5, 'image_id': 1, 'category_id': 1, 'bbox': [4, 4, 40, 50]}
    annotation['keypoints'] = [20, 30, 2] * 17
    image = {'id': 1, 'file_name': f'{STEM}.jpg', 'width': WIDTH, 'height': HEIGHT}
    (root / 'people.json').write_text(json.dumps({'images': [image], 'annotations': [annotation]}))


# Each returns a function that reads the sample anew.


def pose(*steps):
    def open_set(root):
        dataset = CheckedCocoDataset(
            ann_file=str(root / 'people.json'),
            data_prefix={'img': str(root / 'images')},
            pipeline=[*steps],
            test_mode=True,
        )
        return lambda: dataset[0]

    return open_set


def seg(root):
    loaders = [{'type': 'sapiens_common.LoadPhoto'}, {'type': 'sapiens_seg.LoadLabels'}]
    dataset = BodyPartDataset('goliath', data_root=str(root), pipeline=loaders)
    return lambda: dataset[0]


def dense(*targets):
    def open_set(root):
        loader = {'type': 'sapiens_depth_normal.LoadMaps'}
        dataset = DenseFolderDataset(str(root), targets, pipeline=[loader], test_mode=True)
        return lambda: dataset[0]

    return open_set


def mae(source):
    def open_set(root):
        step = {'type': 'sapiens_pretrain.DecodeRandomResizedCrop', 'size': (32, 32)}

        if source == 'shard.tar':
            content = (root / IMAGE).read_bytes()
            pack_shard(root / source, [(STEM, content, {'name': 'a.jpg'})])
        images = ImageSet(str(root / source), [step])
        return lambda: images[0]

    return open_set


def mae_shard(root):
    return lambda: mae('shard.tar')(root)()  # damage goes into a new shard


def infer_photo(root):
    def read():
        item = decode(Item(0, 'a', path=root / IMAGE))
        if item.error is not None:
            raise ValueError(item.error)

    return read


def infer_mask(root):
    def read():
        (path,) = (root / 'masks').iterdir()
        item = Item(0, STEM, image=np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        find_masks(path)([item])
        if item.error is not None:
            raise ValueError(item.error)

    return read


LOAD_POSE = {'type': 'sapiens_pose.LoadPersonImage'}
TRAIN_POSE = (
    {**LOAD_POSE, 'defer': True},
    {'type': 'mmpose.GetBBoxCenterScale'},
    {'type': 'sapiens_pose.DecodeTopdownAffine', 'input_size': (48, 64)},
)
ROWS = {
    'pose image': (IMAGE, PICTURES, pose(LOAD_POSE)),
    'pose image in training': (IMAGE, PICTURES, pose(*TRAIN_POSE)),
    'seg image': (IMAGE, PICTURES, seg),
    'seg labels': (LABELS, PICTURES, seg),
    'depth image': (IMAGE, PICTURES, dense('depth')),
    'depth mask': (MASK, PICTURES, dense('depth')),
    'depth mask as array': (f'masks/{STEM}.npy', MASK_ARRAYS, dense('depth')),
    'depth': (f'depths/{STEM}.npy', ARRAYS, dense('depth')),
    'depth in an archive': (f'depths/{STEM}.npz', ARCHIVES, dense('depth')),
    'depth as png': (f'depths/{STEM}.png', PICTURES, dense('depth')),
    'depth as exr': (f'depths/{STEM}.exr', {'zero bytes': b'', 'text': b'hi'}, dense('depth')),
    'normals': (f'normals/{STEM}.npy', ARRAYS, dense('normal')),
    'normals as png': (f'normals/{STEM}.png', PICTURES, dense('normal')),
    'labels beside depth': (LABELS, PICTURES, dense('depth', 'segmentation')),
    'MAE folder': (IMAGE, PICTURES, mae('images')),
    'MAE list': (IMAGE, PICTURES, mae('list.txt')),
    'MAE shard': (IMAGE, PICTURES, mae_shard),
    'inference photo': (IMAGE, PICTURES, infer_photo),
    'inference mask': (MASK, PICTURES, infer_mask),
    'inference mask as array': (f'masks/{STEM}.npy', MASK_ARRAYS, infer_mask),
}


def replace(root, name, content):
    """Put a file in the place of the one with its stem."""
    for path in (root / name).parent.iterdir():
        path.unlink()
    (root / name).write_bytes(content)


@pytest.mark.parametrize('row', ROWS)
def test_bad_file(tmp_path, row):
    name, damages, open_set = ROWS[row]
    write_set(tmp_path)
    open_set(tmp_path)()  # all is well
    if name not in (IMAGE, MASK, LABELS):
        replace(tmp_path, name, b'')  # an array, or a png instead of one
    read = open_set(tmp_path)
    for damage, content in damages.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError) as error:
            read()
            pytest.fail(f'{damage}: read')
        assert STEM in str(error.value), damage
    if row == 'MAE shard':  # which the test would have to pack first
        return
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()  # a folder in the place of a file
    with pytest.raises(ValueError, match=STEM):
        read()
    (tmp_path / name).rmdir()
    if row != 'inference mask' and 'as array' not in row:
        with pytest.raises(ValueError, match=f'{STEM}.*(does not exist|cannot be read)'):
            read()


@pytest.mark.parametrize('row', [row for row, (name, *_) in ROWS.items() if name == IMAGE])
def test_wrong_extensions_are_read(tmp_path, row):
    write_set(tmp_path)
    replace(tmp_path, IMAGE, PNG)
    ROWS[row][2](tmp_path)()


@pytest.mark.parametrize('row', ['seg image', 'seg labels', 'depth', 'MAE folder'])
def test_files_missing_from_the_start(tmp_path, row):
    name, _, open_set = ROWS[row]
    write_set(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=f'{STEM}|{name.split("/")[0]}|no file name is in all'):
        open_set(tmp_path)()


@pytest.mark.parametrize('content', [b'', b'\n \n# a comment\n', b'\xff\xfe\x00a', None])
@pytest.mark.parametrize('task', ['seg', 'depth', 'MAE', 'inference'])
def test_bad_lists(tmp_path, task, content):
    write_set(tmp_path)
    path = tmp_path / 'list.txt'
    path.write_bytes(content) if content is not None else path.unlink()
    readers = {
        'seg': lambda: BodyPartDataset('goliath', data_root=str(tmp_path), ann_file='list.txt'),
        'depth': lambda: DenseFolderDataset(str(tmp_path), ('depth',), ann_file='list.txt'),
        'MAE': lambda: ImageSet(str(path), []),
        'inference': lambda: open_inputs(str(path)),
    }
    with pytest.raises(ValueError, match=r'list\.txt'):
        readers[task]()


# ---- Damage nobody thought of


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(['jpg', 'png', 'npy', 'npz', 'webp']),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    end=st.floats(0.05, 1),
)
def test_bytes_changed_at_random(tmp_path_factory, kind, places, end):
    # Read, though perhaps as another picture, or refused by name: never anything else.
    whole = {'jpg': PHOTO, 'png': PNG, 'npy': MAP, 'npz': zipped(MAP), 'webp': picture('.webp')}
    content = bytearray(whole[kind])
    for place, value in places:
        content[min(int(place * place * len(content)), len(content) - 1)] = value
    path = tmp_path_factory.getbasetemp() / f'fuzzed.{kind}'
    path.write_bytes(content[: max(1, int(end * len(content)))])
    is_array = kind in ('npy', 'npz')
    readers = [read_array] if is_array else [read_image, read_photo, read_ids, read_picture]
    for reader in (*readers, read_mask):
        try:
            reader(path)
        except ValueError as error:
            assert path.name in str(error)


def test_a_jpeg_without_its_end_marker_but_whole_is_accepted_or_named():
    try:
        decode_image(PHOTO[:-2], 'a.jpg')
    except ValueError as error:
        assert 'a.jpg' in str(error)
    assert decode_image(PHOTO + b'trailing metadata', 'a.jpg').shape == (HEIGHT, WIDTH, 3)


def test_the_limit_lies_above_cameras():
    assert 12_000 * 9_000 < MAX_PIXELS < 2**28
