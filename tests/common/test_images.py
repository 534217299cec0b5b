# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reduced decoding, and which channel of a picture is a mask."""

import cv2
import numpy as np
import pytest

from sapiens_common.files.images import decode_image
from sapiens_common.files.maps import read_mask


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.webp'])
@pytest.mark.parametrize('reduction', [2, 4, 8])
def test_a_reduced_pixel_covers_a_block_whatever_the_format_and_size(suffix, reduction):
    # A ramp: a picture that was stretched or shifted has other values.
    ramp = np.add.outer(np.arange(103), np.arange(67)) * 1.4
    image = np.repeat(ramp.astype(np.uint8)[..., None], 3, axis=2)
    encoded = cv2.imencode(suffix, image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    found = decode_image(encoded, 'a', reduction)
    rows, columns = -(-103 // reduction), -(-67 // reduction)
    padded = np.pad(
        image, ((0, rows * reduction - 103), (0, columns * reduction - 67), (0, 0)), mode='edge'
    )
    blocks = padded.reshape(rows, reduction, columns, reduction, 3).mean(axis=(1, 3))
    assert found.shape == (rows, columns, 3)
    assert np.abs(found - blocks).max() < (4 if suffix == '.jpg' else 1)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_an_opaque_alpha_channel_is_no_mask(tmp_path, dtype):
    white = np.iinfo(dtype).max
    picture = np.zeros((10, 12, 4), dtype)
    picture[3:5, 4:9, :3] = white
    picture[..., 3] = white
    cv2.imwrite(str(tmp_path / 'black_and_white.png'), picture)
    cut_out = picture.copy()
    cut_out[..., 3] = 0
    cut_out[3:5, 4:9, 3] = white
    cut_out[..., :3] = white // 2  # as editors leave it below transparent pixels
    cv2.imwrite(str(tmp_path / 'cut_out.png'), cut_out)
    for name in ('black_and_white', 'cut_out'):
        mask = read_mask(tmp_path / f'{name}.png')
        assert mask[3:5, 4:9].all() and mask.sum() == 10
    np.save(tmp_path / 'one_hot.npy', np.eye(6, dtype=np.float32)[None, :, :5])
    np.testing.assert_array_equal(read_mask(tmp_path / 'one_hot.npy'), [[True] * 5 + [False]])
