# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Decoding inside the warp: the same picture in the same place, from fewer pixels."""

import cv2
import numpy as np
import pytest
from mmpose.datasets.transforms import RandomFlip
from mmpose.datasets.transforms import TopdownAffine as MMPoseTopdownAffine
from PIL import Image

from sapiens_common.files.images import choose_reduction, decode_image, encoded_size
from sapiens_pose.transforms import DecodeTopdownAffine, LoadPersonImage

POINTS = np.array([[[120.0, 200.0], [400.0, 170.0], [260.0, 520.0]]], np.float32)


@pytest.fixture
def photo(tmp_path):
    """A smooth JPEG of 641 x 487 pixels with a bright spot at each of POINTS."""
    y, x = np.mgrid[:641, :487]
    picture = np.full((641, 487), 40.0)
    for px, py in POINTS[0]:
        picture += 180 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 12.0**2))
    path = tmp_path / 'photo.jpg'
    cv2.imwrite(str(path), np.dstack([picture] * 3).clip(0, 255).astype(np.uint8))
    return path


def run(path, defer, direction, use_udp, input_size=(48, 64), rotation=20.0):
    results = {
        'img_path': str(path),
        'bbox_center': np.array([[250.0, 320.0]], np.float32),
        'bbox_scale': np.array([[450.0, 600.0]], np.float32),
        'bbox_rotation': np.array([rotation], np.float32),
        'keypoints': POINTS.copy(),
        'keypoints_visible': np.ones((1, 3), np.float32),
        'flip_indices': [1, 0, 2],
    }
    results = LoadPersonImage(defer=defer).transform(results)
    if direction:
        results = RandomFlip(prob=1.0, direction=direction).transform(results)
    kind = DecodeTopdownAffine if defer else MMPoseTopdownAffine
    return kind(input_size, use_udp=use_udp).transform(results)


def spots(image, points):
    """Centres of brightness around the given points."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    found = []
    for px, py in points:
        near = np.hypot(x - px, y - py) < 5
        weight = (image[..., 0].astype(float) - 45).clip(0) * near
        found.append([(x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()])
    return np.array(found)


@pytest.mark.parametrize('use_udp', [False, True])
@pytest.mark.parametrize('direction', [None, 'horizontal', 'vertical', 'diagonal'])
def test_spots_stay_on_their_keypoints(photo, direction, use_udp):
    whole = run(photo, False, direction, use_udp)
    part = run(photo, True, direction, use_udp)  # decoded at an eighth
    np.testing.assert_array_equal(part['transformed_keypoints'], whole['transformed_keypoints'])
    assert part['img'].shape == whole['img'].shape == (64, 48, 3)
    points = part['transformed_keypoints'][0]
    np.testing.assert_allclose(spots(part['img'], points), points, atol=0.25)
    np.testing.assert_allclose(spots(part['img'], points), spots(whole['img'], points), atol=0.1)
    assert set(part) == set(whole)


def test_without_reduction_it_is_upstreams_warp(photo):
    whole = run(photo, False, None, True, input_size=(300, 400))
    part = run(photo, True, None, True, input_size=(300, 400))
    np.testing.assert_array_equal(part['img'], whole['img'])


def test_loaded_images_go_through_upstream(photo):
    results = run(photo, False, None, True)
    loaded = {'img': decode_image(photo.read_bytes(), photo), 'img_path': str(photo)}
    for key in ('input_center', 'input_scale', 'bbox_rotation'):
        loaded[key.replace('input', 'bbox')] = np.asarray(results[key])[None]
    loaded['bbox_rotation'] = results['bbox_rotation']
    found = DecodeTopdownAffine((48, 64), use_udp=True).transform(
        LoadPersonImage(defer=True).transform(loaded)
    )
    np.testing.assert_array_equal(found['img'], results['img'])


@pytest.mark.parametrize('content', [b'', b'no image at all'])
def test_broken_files_are_named(tmp_path, content):
    path = tmp_path / 'torn.jpg'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'torn\.jpg cannot be decoded'):
        LoadPersonImage(defer=True).transform({'img_path': str(path)})
    with pytest.raises(ValueError, match=r'gone\.jpg does not exist'):
        LoadPersonImage(defer=True).transform({'img_path': str(tmp_path / 'gone.jpg')})


@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
@pytest.mark.parametrize('reduction', [1, 2, 4, 8])
def test_rotated_photos_are_upright_at_every_scale(tmp_path, orientation, reduction):
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / 'rotated.jpg'
    Image.fromarray(picture).save(path, exif=exif, quality=95)
    encoded = path.read_bytes()
    whole = cv2.imread(str(path))
    assert encoded_size(encoded, path) == whole.shape[:2]
    found = decode_image(encoded, path, reduction)
    assert found.shape[:2] == tuple(side // reduction for side in whole.shape[:2])
    expected = cv2.resize(whole, found.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(found.astype(int) - expected).mean() < 8


@pytest.mark.parametrize(
    ('size', 'wanted', 'reduction'),
    [
        ((64, 48), (64, 48), 1),
        ((127, 500), (64, 48), 1),
        ((128, 96), (64, 48), 2),
        ((400.5, 300.2), (64, 48), 4),
        ((9000, 7000), (64, 48), 8),
    ],
)
def test_choose_reduction(size, wanted, reduction):
    assert choose_reduction(size, wanted) == reduction
