# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import struct
import zlib
from fractions import Fraction

import cv2
import mmcv
import numpy as np
import pytest
import torch
from PIL import Image

from sapiens_inference.inputs import sources
from sapiens_inference.inputs.photos import read_photo, to_bgr
from sapiens_inference.inputs.sources import _camera_frames, decode, name_inputs, open_inputs
from sapiens_inference.items import Video


def items_of(inputs):
    source = open_inputs(inputs)
    return [decode(item) for item in source.items], source


def test_a_folder_of_odd_files_gives_each_an_image_or_a_reason(odd_folder, photo):
    items, source = items_of(odd_folder)
    assert source.total == len(items) == 12
    found = {item.name: item for item in items}
    assert [item.index for item in items] == list(range(12))
    # Two files called good in one folder and one in another: three names, none overwritten.
    assert {'good', 'good_png', 'sub/good', 'UPPER'} <= set(found)
    assert {name for name, item in found.items() if item.error} == {
        'one_pixel',
        'broken',
        'torn',
        'empty',
    }
    assert 'empty.jpg: the file is empty' in found['empty'].error
    assert 'broken.jpg cannot be decoded' in found['broken'].error
    assert 'torn.jpg cannot be decoded, its data is damaged' in found['torn'].error
    assert '1 x 1 pixels' in found['one_pixel'].error
    image = photo()
    np.testing.assert_array_equal(found['good_png'].image, image)
    np.testing.assert_array_equal(found['deep'].image, image)
    assert found['deep'].notes == ['16-bit values were reduced to 8 bits']
    np.testing.assert_array_equal(found['grey'].image, np.dstack([image[..., 0]] * 3))
    assert (found['alpha'].image[:24] == 255).all()
    np.testing.assert_array_equal(found['alpha'].image[24:], image[24:])
    assert found['alpha'].notes == ['transparent pixels were laid over white']
    assert found['rotated'].image.shape == (64, 48, 3)
    assert np.abs(found['rotated'].image.astype(int) - np.rot90(image, -1)).mean() < 3


def test_photos_are_decoded_as_the_test_pipeline_decodes_them(odd_folder):
    for name in ('good.jpg', 'good.png', 'grey.png', 'rotated.jpg', 'deep.png'):
        np.testing.assert_array_equal(
            read_photo(odd_folder / name)[0], mmcv.imread(str(odd_folder / name))
        )


def test_an_alpha_channel_is_noted_where_something_is_transparent(tmp_path, photo):
    opaque = np.dstack([photo(), np.full(photo().shape[:2], 255, np.uint8)])
    cv2.imwrite(str(tmp_path / 'opaque.png'), opaque)
    image, notes = read_photo(tmp_path / 'opaque.png')
    np.testing.assert_array_equal(image, photo())
    assert notes == []


def test_grey_of_16_bits_with_a_transparent_value_is_not_clipped(tmp_path, photo):
    grey = photo()[..., 0]
    cv2.imwrite(str(tmp_path / 'grey.png'), grey.astype(np.uint16) * 257)
    data = (tmp_path / 'grey.png').read_bytes()
    body = b'tRNS' + struct.pack('>H', 7)
    chunk = struct.pack('>I', 2) + body + struct.pack('>I', zlib.crc32(body))
    place = data.index(b'IDAT') - 4
    (tmp_path / 'grey.png').write_bytes(data[:place] + chunk + data[place:])
    image, notes = read_photo(tmp_path / 'grey.png')
    np.testing.assert_array_equal(image, np.dstack([grey] * 3))
    assert notes == ['16-bit values were reduced to 8 bits']


@pytest.mark.parametrize(
    ('shape', 'dtype'),
    [((20, 30), np.uint8), ((20, 30, 1), np.uint8), ((20, 30, 4), np.uint8), ((20, 30), np.uint16)],
)
def test_arrays_of_any_common_form_become_bgr(shape, dtype):
    image = to_bgr(np.full(shape, np.iinfo(dtype).max, dtype), 'x')
    assert image.shape == (20, 30, 3) and image.dtype == np.uint8 and (image == 255).all()


def test_arrays_paths_and_batches_mix_in_a_list(odd_folder, photo):
    batch = np.stack([photo(1), photo(2)])
    items, source = items_of([photo(0), str(odd_folder / 'good.png'), batch, np.zeros((9, 9))])
    assert source.total is None  # the list holds a container
    assert [item.name for item in items] == [
        'image_000000',
        'good',
        'image_000001',
        'image_000002',
        'image_000003',
    ]
    assert items[4].error.startswith('input 3 (image_000003): expected a BGR image, uint8')
    np.testing.assert_array_equal(items[3].image, photo(2))


def test_a_generator_is_read_lazily(photo):
    taken = []

    def frames():
        for number in range(1000):
            taken.append(number)
            yield photo(number)

    source = open_inputs(frames())
    assert source.total is None and not taken
    next(source.items)
    assert taken == [0]


def test_globs_and_lists(odd_folder, tmp_path):
    items, _ = items_of(str(odd_folder / '**' / 'good.*'))
    assert [item.name for item in items] == ['good', 'good_png', 'sub/good']
    listing = tmp_path / 'list.txt'
    listing.write_text('photos/good.jpg\nphotos/missing.jpg\n')
    items, _ = items_of(listing)
    assert [item.name for item in items] == ['photos/good', 'photos/missing']
    assert 'missing.jpg: cannot be read' in items[1].error


@pytest.mark.parametrize(
    ('inputs', 'message'),
    [
        ('nowhere/at_all.jpg', 'does not exist'),
        ('nowhere/*.jpg', 'matches no image'),
        ([], 'list of inputs is empty'),
        (None, 'cannot read None'),
        (3.5, 'cannot read inputs of type float'),
        (b'\xff\xd8', 'cannot read inputs of type bytes'),
        ('', 'the name of the input is empty'),
    ],
)
def test_unreadable_inputs_say_what_was_expected(inputs, message):
    with pytest.raises(ValueError, match=message):
        open_inputs(inputs)


def test_several_inputs_have_the_names_of_their_run(tmp_path, photo):
    for name in ('x/a.png', 'y/a.png', 'z/b.png', 'z/a.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), photo())
    parts = ('x/a.png', 'a.mp4', 'y/a.png', 'z', 'z/nothing*.png')  # two are not there
    inputs = [str(tmp_path / part) for part in parts]
    run = {item.name: item.path for item in open_inputs(inputs).items if item.error is None}
    assert name_inputs(inputs) == run and len(run) == 4


def test_pil_images_are_read_as_their_files_are(photo, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), photo())
    alpha = np.dstack([photo(), np.full((48, 64), 99, np.uint8)])
    cv2.imwrite(str(tmp_path / 'b.png'), alpha)
    cv2.imwrite(str(tmp_path / 'c.png'), photo()[..., 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo()).save(tmp_path / 'd.png', exif=exif)
    for name in 'abcd':
        with Image.open(tmp_path / f'{name}.png') as opened:
            (item,), _ = items_of(opened)
        (expected,), _ = items_of(tmp_path / f'{name}.png')
        np.testing.assert_array_equal(item.image, decode(expected).image)


def test_a_tensor_is_refused_with_the_line_that_turns_it(photo):
    tensor = torch.from_numpy(photo()[..., ::-1].copy()).permute(2, 0, 1) / 255
    ((item,), _) = items_of(tensor)
    assert item.error.startswith('input 0 (image_000000): expected an array, a PIL image or a path')
    line = item.error.split('take ')[1]
    np.testing.assert_array_equal(eval(line, {'t': tensor}), photo())


def test_a_folder_without_images_says_which_suffixes_count(tmp_path):
    with pytest.raises(ValueError, match=r'holds no image or video.*\.jpg'):
        open_inputs(tmp_path)


def test_frames_of_a_camera_carry_their_time(photo, monkeypatch):
    monkeypatch.setattr(sources, 'newest', iter)  # which drops frames; it has a test of its own
    frames = [(True, photo(0)), (True, photo(1)), (False, None)]
    times = iter([0.0, 0.1])
    video = Video('webcam_0', None, Fraction(30))
    items = list(_camera_frames(lambda: frames.pop(0), video, lambda: next(times)))
    assert [(item.frame.number, item.frame.time) for item in items] == [(0, 0.0), (1, 0.1)]


@pytest.mark.parametrize(('said', 'rate'), [(25.0, 25), (0.0, 30), (-1.0, 30), (np.nan, 30)])
def test_a_webcam_that_does_not_know_its_rate(photo, monkeypatch, said, rate):
    class Camera:
        def __init__(self, number):
            self.frames = [(True, photo()), (False, None)]

        def isOpened(self):
            return True

        def get(self, key):
            return said

        def read(self):
            return self.frames.pop(0)

        def release(self):
            pass

    monkeypatch.setattr(sources.cv2, 'VideoCapture', Camera)
    (item,) = open_inputs(0).items
    assert item.frame.video.rate == rate


def test_a_webcam_that_is_not_there_is_named():
    source = open_inputs(93)
    assert source.live
    with pytest.raises(ValueError, match='webcam 93 cannot be opened'):
        next(source.items)
