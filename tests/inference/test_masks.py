# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sapiens_inference.inputs.masks import find_masks
from sapiens_inference.items import Frame, Item, Video


@pytest.fixture
def item():
    return Item(0, 'sub/a', image=np.zeros((6, 8, 3), np.uint8))


@pytest.fixture
def mask():
    mask = np.zeros((6, 8), np.uint8)
    mask[2:4, 3:] = 7
    return mask


def test_masks_from_files_arrays_and_mappings(tmp_path, item, mask):
    (tmp_path / 'sub').mkdir()
    # A palette PNG of class ids, as the segmentation task writes: ids count, not colours.
    picture = Image.fromarray(mask).convert('P')
    picture.putpalette([0, 0, 0] * 256)
    picture.save(tmp_path / 'sub' / 'a.png')
    np.save(tmp_path / 'm.npy', mask)
    forms = [tmp_path, tmp_path / 'sub' / 'a.png', tmp_path / 'm.npy', mask, {'a': mask}, [mask]]
    for form in forms:
        item.mask = None
        find_masks(form)([item])
        np.testing.assert_array_equal(item.mask, mask > 0)
    assert find_masks(None) is None


@pytest.mark.parametrize('name', ['a.jpg', 'sub/a.jpg', '/photos/sub/a.jpg', 'sub/a', 'a'])
def test_a_mapping_names_files_stems_or_paths(name, item, mask):
    item.path = Path('/photos/sub/a.jpg')
    find_masks({name: mask})([item])
    np.testing.assert_array_equal(item.mask, mask > 0)


def test_frames_have_masks_of_their_own(tmp_path, mask):
    frame = Frame(Video('film', None, Fraction(25)), 7, 0.28)
    item = Item(7, 'film', image=np.zeros((6, 8, 3), np.uint8), frame=frame)
    (tmp_path / 'film').mkdir()
    Image.fromarray(mask).save(tmp_path / 'film/000007.png')  # where --save-frames puts them
    find_masks(tmp_path)([item])
    np.testing.assert_array_equal(item.mask, mask > 0)


@pytest.mark.parametrize(
    ('masks', 'message'),
    [
        (np.zeros((5, 8)), r'the mask has shape \(5, 8\), the image \(6, 8\)'),
        ({'b': np.zeros((6, 8))}, 'no mask was given for it'),
        ([], 'only 0 masks were given'),
        (['a.png'], 'expected a mask as an array of numbers'),
    ],
)
def test_a_mask_that_does_not_fit_fails_its_image(masks, message, item):
    find_masks(masks)([item])
    with pytest.raises(ValueError, match=message):
        raise ValueError(item.error)


def test_an_empty_mask_is_noted(item):
    find_masks(np.zeros((6, 8)))([item])
    assert item.error is None and item.notes == ['the person mask is empty']


def test_missing_paths_are_named(tmp_path, item):
    with pytest.raises(ValueError, match=r'none: no such file or folder'):
        find_masks(tmp_path / 'none')
    find_masks(tmp_path)([item])
    assert f'no mask sub/a.png or sub/a.npy in {tmp_path}' in item.error
