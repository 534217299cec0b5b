# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Image files as cameras, phones, editors and broken downloads leave them."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from sapiens_common.files.headers import read_header
from sapiens_common.files.images import decode_image, encoded_size, image_size, read_image
from sapiens_common.files.jpeg import decode_jpeg
from sapiens_common.files.maps import read_picture

REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
FORMS = {
    '4:2:0': dict(subsampling='4:2:0'),
    '4:2:2': dict(subsampling='4:2:2'),
    '4:4:4': dict(subsampling='4:4:4'),
    'progressive': dict(progressive=True),
    'grey': dict(mode='L'),
    'CMYK': dict(mode='CMYK'),
}


@pytest.fixture(scope='module')
def picture():
    """RGB picture of odd sides with structure everywhere."""
    small = np.random.default_rng(0).integers(0, 256, (13, 11, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(small, (141, 203), interpolation=cv2.INTER_CUBIC))


def save(image, form='JPEG', mode=None, **options):
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, form, **options)
    return file.getvalue()


def opencv(encoded, flags=cv2.IMREAD_COLOR):
    return cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)


# ---- JPEG


@pytest.mark.parametrize('reduction', REDUCED)
@pytest.mark.parametrize('form', FORMS)
def test_jpeg_pixels_are_those_of_opencv(picture, form, reduction):
    encoded = save(picture, **FORMS[form])
    found = decode_jpeg(encoded, 'a', reduction)
    np.testing.assert_array_equal(found, opencv(encoded, REDUCED[reduction]))


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('share', [0.4, 0.6, 0.9])
def test_a_jpeg_cut_with_an_end_marker_appended_is_damaged(picture, form, share):
    encoded = save(picture, **FORMS[form])
    torn = encoded[: int(len(encoded) * share)] + b'\xff\xd9'
    assert opencv(torn) is not None  # which is why libjpeg's warnings are read
    with pytest.raises(ValueError, match='image a.jpg cannot be decoded, its data is damaged: '):
        decode_image(torn, 'a.jpg')


@pytest.mark.parametrize('form', ['4:2:0', '4:4:4', 'grey'])
def test_a_jpeg_with_damaged_scans_is_damaged(picture, form, tmp_path):
    encoded = bytearray(save(picture, quality=95, **FORMS[form]))
    middle = (encoded.rfind(b'\xff\xda') + len(encoded)) // 2
    encoded[middle : middle + 200] = bytes(200)
    assert opencv(bytes(encoded)) is not None
    with pytest.raises(ValueError, match='a.jpg cannot be decoded, its data is damaged: Corrupt'):
        decode_image(bytes(encoded), 'a.jpg')
    (tmp_path / 'mask.jpg').write_bytes(encoded)
    with pytest.raises(ValueError, match=r'mask\.jpg cannot be decoded, its data is damaged'):
        read_picture(tmp_path / 'mask.jpg')


@pytest.mark.parametrize(
    'change',
    [
        lambda data: data[:-2],  # the end marker is missing, no pixel is
        lambda data: data + b'\xff\xd8 a second picture \xff\xd9',
        lambda data: data[:-2] + bytes(40) + data[-2:],  # padding
        lambda data: data[:2] + b'\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x09' + data[2:],
    ],
)
def test_a_whole_jpeg_with_oddities_is_read(picture, change):
    encoded = save(picture)
    np.testing.assert_array_equal(decode_image(change(encoded), 'a'), opencv(encoded))


# ---- EXIF


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('form', ['JPEG', 'PNG', 'WEBP', 'TIFF', 'AVIF'])
def test_every_format_is_upright_and_its_header_says_so(picture, tmp_path, form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = dict(lossless=True) if form == 'WEBP' else dict(quality=95)
    (tmp_path / 'a').write_bytes(save(picture, form, exif=exif, **lossless))
    found = read_image(tmp_path / 'a')
    with Image.open(tmp_path / 'a') as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened).convert('RGB'))[..., ::-1]
    assert image_size(tmp_path / 'a') == found.shape[:2] == expected.shape[:2]
    assert np.abs(found.astype(int) - expected).max() <= 2


def test_an_orientation_behind_the_pixels_counts(picture):
    plain, exif = save(picture, 'PNG'), Image.Exif()
    exif[0x0112] = 6
    turned = save(picture, 'PNG', exif=exif)
    start = turned.index(b'eXIf') - 4
    block = turned[start : start + 12 + struct.unpack('>I', turned[start : start + 4])[0]]
    assert len(plain) + len(block) == len(turned)
    moved = plain[:-12] + block + plain[-12:]
    assert encoded_size(moved, 'a') == (141, 203) == decode_image(moved, 'a').shape[:2]


@pytest.mark.parametrize(
    'block',
    [
        b'Exif\0\0' + bytes(range(200, 256)) * 4,
        b'Exif\0\0II*\0\xff\xff\xff\xff',
        b'Exif\0\0MM\0*\0\0\0\x08\0\x05' + b'\x01\x12\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff' * 5,
        b'Exif\0\0',
        b'Exif',
    ],
)
def test_garbage_in_exif_costs_no_photo(picture, block):
    encoded = save(picture)
    segment = b'\xff\xe1' + struct.pack('>H', len(block) + 2) + block
    odd = encoded[:2] + segment + encoded[2:]
    header = read_header(odd, 'a')
    assert header.size == (203, 141) and header.orientation == 1
    np.testing.assert_array_equal(decode_image(odd, 'a'), opencv(encoded))


# ---- Other formats


@pytest.mark.parametrize(
    ('form', 'options', 'tolerance'),
    [
        ('GIF', {}, 12),  # 256 colours
        ('AVIF', dict(quality=95), 2),
        ('HEIF', dict(quality=95), 4),
        ('BMP', {}, 0),
        ('JPEG2000', {}, 0),
        ('TIFF', dict(compression='tiff_lzw'), 0),
        ('TIFF', dict(mode='CMYK'), 1),
    ],
)
def test_formats_of_phones_and_editors(picture, form, options, tolerance):
    if form == 'HEIF':
        pytest.importorskip('pillow_heif').register_heif_opener()
    encoded = save(picture, form, **options)
    assert encoded_size(encoded, 'a') == (203, 141)
    found = decode_image(encoded, 'a')[..., ::-1].astype(int)
    assert np.abs(found - np.asarray(picture)).mean() <= tolerance


def test_a_damaged_tiff_is_refused(picture, tmp_path):
    encoded = bytearray(save(picture, 'TIFF', compression='tiff_lzw'))
    encoded[len(encoded) // 2 : len(encoded) // 2 + 60] = bytes(60)
    assert opencv(bytes(encoded)) is not None
    with pytest.raises(ValueError, match=r'image a\.tif cannot be decoded, its data is damaged'):
        decode_image(bytes(encoded), 'a.tif')
    (tmp_path / 'mask.tif').write_bytes(encoded)
    with pytest.raises(ValueError, match=r'mask\.tif cannot be decoded, its data is damaged'):
        read_picture(tmp_path / 'mask.tif')


def test_postscript_is_a_program_and_no_image(picture):
    encoded = save(picture, 'EPS')
    with pytest.raises(
        ValueError, match=r'image a\.jpg cannot be decoded: .* no known image format'
    ):
        encoded_size(encoded, 'a.jpg')


@pytest.mark.parametrize('channels', [1, 3])
def test_floats_from_0_to_1_are_colours(channels):
    shape = (20, 30) if channels == 1 else (20, 30, 3)
    values = np.linspace(0, 1, 20 * 30 * channels, dtype=np.float32).reshape(shape)
    # OpenCV's own way to store colours as floats (LogLuv) rounds them.
    uncompressed = [cv2.IMWRITE_TIFF_COMPRESSION, 1]
    encoded = cv2.imencode('.tif', values, uncompressed)[1].tobytes()
    assert encoded_size(encoded, 'a') == (20, 30)
    found = decode_image(encoded, 'a')
    expected = np.rint(values * 255)
    expected = expected if channels == 3 else np.dstack([expected] * 3)
    np.testing.assert_array_equal(found, expected)
    beyond = cv2.imencode('.tif', values * 7, uncompressed)[1].tobytes()
    with pytest.raises(ValueError, match='a.tif: its pixels are floats from 0 to 7; expected 0 to'):
        decode_image(beyond, 'a.tif')


def test_pixels_that_are_no_colours_are_refused():
    encoded = cv2.imencode('.tif', np.full((20, 30), 70_000, np.int32))[1].tobytes()
    with pytest.raises(
        ValueError, match=r"a\.tif cannot be decoded: .* kind 'I', which is not a co"
    ):
        decode_image(encoded, 'a.tif')


def test_a_float_tiff_as_opencv_writes_it(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    image[:4] = cv2.merge(
        [np.uint8([[0] * 6] * 4), np.uint8([[0] * 6] * 4), np.uint8([[255] * 6] * 4)]
    )
    path = str(tmp_path / 'a.tif')
    cv2.imwrite(path, image.astype(np.float32) / 255)
    assert cv2.imread(path, cv2.IMREAD_UNCHANGED).min() < 0  # its LogLuv compression is lossy
    assert abs(read_image(path).astype(int) - image).max() <= 5
