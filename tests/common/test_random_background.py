# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""RandomBackground: what is person, what is replaced, and when a missing folder is an error."""

import re

import cv2
import numpy as np
import pytest

from sapiens_common.files.images import list_images, read_image
from sapiens_common.transforms import RandomBackground


@pytest.fixture
def folder(tmp_path):
    """Two pictures, one of them with an upper-case extension, and a file that is no image."""
    for name, value in (('b.PNG', 40), ('a.png', 200)):
        cv2.imwrite(str(tmp_path / name), np.full((30, 20, 3), value, np.uint8))
    (tmp_path / 'notes.txt').write_text('no image')
    return tmp_path


def sample(**labels):
    image = np.random.RandomState(0).randint(0, 255, (24, 32, 3), np.uint8)
    return {'img': image, 'img_path': 'person.jpg', **labels}


def test_list_images_is_sorted_and_case_insensitive(folder):
    assert [path.name for path in list_images(folder)] == ['a.png', 'b.PNG']


@pytest.mark.parametrize('key', ['mask', 'gt_seg_map'])
def test_replaces_everything_but_the_person(folder, key):
    labels = np.zeros((24, 32), np.uint8)
    labels[4:10, 5:20] = 3
    labels[12:14] = 255
    before = sample(**{key: labels.copy()})
    after = RandomBackground(1.0, folder, match_colors=False)(dict(before))
    # 255 means "ignored" in a label map, but "person" in a mask
    person = labels > 0 if key == 'mask' else labels == 3
    np.testing.assert_array_equal(after['img'][person], before['img'][person])
    assert np.isin(after['img'][~person], (40, 200)).all()
    np.testing.assert_array_equal(after[key], labels)


def test_matched_colours_have_the_backgrounds_mean_and_stay_visible(folder):
    labels = np.zeros((24, 32), np.uint8)
    labels[4:20, 5:20] = 1
    before = sample(gt_seg_map=labels)
    before['img'] = before['img'] // 4 + 90  # far from black and white, where colours are cut off
    after = RandomBackground(1.0, folder)(dict(before))
    values = np.unique(after['img'][labels == 0])
    assert len(values) == 1  # a plain picture
    person = after['img'][labels == 1].astype(float)
    assert abs(person.mean() - values[0]) < 4
    # A plain picture has no spread; the person keeps half of its own.
    assert 0.35 < person.std() / before['img'][labels == 1].std() < 0.65


def test_without_people_the_picture_remains(folder):
    after = RandomBackground(1.0, folder)(sample(mask=np.zeros((24, 32), np.uint8)))
    assert np.isin(after['img'], (40, 200)).all()


def test_prob_zero_needs_no_folder_and_changes_nothing():
    before = sample()
    after = RandomBackground(0.0, 'no/such/folder')(dict(before))
    np.testing.assert_array_equal(after['img'], before['img'])


def test_prob_is_a_share(folder):
    np.random.seed(0)
    transform = RandomBackground(0.3, folder, match_colors=False)
    before = sample(mask=np.zeros((24, 32), np.uint8))
    changed = [(transform(dict(before))['img'] != before['img']).any() for _ in range(400)]
    assert 0.22 < np.mean(changed) < 0.38


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda folder: RandomBackground(0.1, 'no/such/folder'), 'no/such/folder does not exist'),
        (lambda folder: RandomBackground(0.1, folder.parent / 'empty'), 'holds no image'),
        (lambda folder: RandomBackground(1.5, folder), 'prob must be in [0, 1], got 1.5'),
        (lambda folder: RandomBackground(1.0, folder)(sample()), 'person.jpg: expected the key'),
        (
            lambda folder: RandomBackground(1.0, folder)(sample(mask=np.ones((2, 2)))),
            'person.jpg: mask is (2, 2), expected (24, 32)',
        ),
    ],
)
def test_errors_name_what_is_wrong(folder, make, message):
    (folder.parent / 'empty').mkdir(exist_ok=True)
    with pytest.raises(ValueError, match=re.escape(message)):
        make(folder)


def test_a_torn_picture_is_named(tmp_path):
    (tmp_path / 'torn.jpg').write_bytes(b'no picture')
    with pytest.raises(ValueError, match=r'torn\.jpg cannot be decoded'):
        read_image(tmp_path / 'torn.jpg')
