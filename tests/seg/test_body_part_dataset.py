# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The reader on every layout, label loading, and the errors of broken data."""

import re

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from sapiens_seg.datasets import BodyPartDataset, LoadLabels
from sapiens_seg.registry import DATASETS
from sapiens_seg.vocabularies import VOCABULARIES

LABELS = np.arange(12, dtype=np.uint8).reshape(4, 3)
PIPELINE = [
    {'type': 'LoadImageFromFile'},
    {'type': 'sapiens_seg.LoadLabels'},
    {'type': 'PackSegInputs'},
]


def build(root, **settings):
    settings = {'vocabulary': 'goliath', 'data_root': str(root), 'pipeline': PIPELINE, **settings}
    return BodyPartDataset(**settings)


def stems(dataset):
    entries = [dataset.get_data_info(i) for i in range(len(dataset))]
    return [entry['img_path'].split('/')[-1] for entry in entries]


def test_suite_layout_any_extension_sorted(tmp_path, write_pair):
    for stem, ext in (('b', '.JPG'), ('c', '.jpeg'), ('a', '.png'), ('d', '.webp')):
        write_pair(tmp_path, stem, LABELS, ext=ext, suffix='.PNG' if stem == 'd' else '.png')
    write_pair(tmp_path, 'spare', LABELS)
    (tmp_path / 'images/spare.jpg').unlink()  # a label without an image is no harm
    dataset = build(tmp_path)
    assert stems(dataset) == ['a.png', 'b.JPG', 'c.jpeg', 'd.webp']
    assert dataset.metainfo['classes'] == VOCABULARIES['goliath'].classes
    assert len(dataset.metainfo['palette']) == 28
    sample = dataset[0]
    assert sample['inputs'].shape == (3, 4, 3)
    np.testing.assert_array_equal(sample['data_samples'].gt_sem_seg.data[0], LABELS)


@pytest.mark.parametrize(
    ('data', 'image', 'label', 'suffix', 'ext'),
    [
        ('lip', 'images/train_images', 'segmentations/train_segmentations', '.png', '.jpg'),
        ('cihp', 'Images', 'Category_ids', '.png', '.jpg'),
        ('face', '.', '.', '_seg.png', '.png'),
    ],
)
def test_public_layouts_as_the_recipes_write_them(
    root, tmp_path, write_pair, data, image, label, suffix, ext
):
    settings = Config.fromfile(root / f'configs/seg/_base_/{data}.py').train_dataloader.dataset
    for stem in ('000001', '000000'):
        write_pair(tmp_path, stem, LABELS, image, label, suffix, ext)
    (tmp_path / 'train.txt').write_text('000001\n000000\n\n')
    settings.update(data_root=str(tmp_path), pipeline=PIPELINE)
    dataset = DATASETS.build(settings)
    expected = ['000001', '000000'] if data == 'face' else ['000000', '000001']
    assert stems(dataset) == [f'{stem}{ext}' for stem in expected]
    np.testing.assert_array_equal(dataset[0]['data_samples'].gt_sem_seg.data[0], LABELS)


def test_raw_labels_and_palette_pngs(tmp_path, write_pair):
    raw = np.array([[0, 1, 2], [5, 33, 255]], np.uint8)
    write_pair(tmp_path, 'a', raw)
    picture = Image.fromarray(raw)
    picture.putpalette([200, 10, 10] * 256)  # the numbers count, not the colours
    picture.save(tmp_path / 'segmentations/a.png')
    labels = build(tmp_path, values='goliath_raw')[0]['data_samples'].gt_sem_seg.data[0]
    np.testing.assert_array_equal(labels, [[0, 1, 255], [2, 27, 255]])


def test_images_without_labels_to_predict(tmp_path, write_pair):
    write_pair(tmp_path, 'a', LABELS)
    dataset = build(tmp_path, data_prefix={'img_path': 'images'}, pipeline=[], test_mode=True)
    assert 'seg_map_path' not in dataset[0]


def test_own_classes(tmp_path, write_pair):
    write_pair(tmp_path, 'a', LABELS % 3)
    own = {'classes': ['background', 'left wing', 'right wing']}
    dataset = build(tmp_path, vocabulary=own)
    assert dataset.metainfo['classes'] == tuple(own['classes'])
    assert dataset.get_data_info(0)['swap_pairs'] == ((1, 2),)
    assert dataset[0]['data_samples'].gt_sem_seg.data.max() == 2


def unlabelled(root):
    (root / 'segmentations/a.png').unlink()
    return build(root)


def unlisted(root):
    (root / 'list.txt').write_text('a\nghost\n')
    return build(root, ann_file='list.txt')


def doubled(root):
    (root / 'images/a.png').write_bytes((root / 'images/a.jpg').read_bytes())
    (root / 'list.txt').write_text('a\n')
    return build(root, ann_file='list.txt')


def doubled_without_a_list(root):
    (root / 'images/a.png').write_bytes((root / 'images/a.jpg').read_bytes())
    return build(root)


def high_value(root):
    Image.fromarray(LABELS // 6 * 2 + 28).save(root / 'segmentations/a.png')
    return build(root)[0]


def colours(root):
    Image.fromarray(np.zeros((4, 3, 3), np.uint8)).save(root / 'segmentations/a.png')
    return build(root)[0]


def other_size(root):
    Image.fromarray(LABELS[:2]).save(root / 'segmentations/a.png')
    return build(root)[0]


def torn(root):
    (root / 'segmentations/a.png').write_bytes(b'torn')
    return build(root)[0]


@pytest.mark.parametrize(
    ('action', 'message'),
    [
        (unlabelled, '1 of 1 images have no label file, the first: expected'),
        (unlabelled, 'segmentations/a.png'),
        (unlisted, "list.txt lists 'ghost': expected one ghost{.jpg,.jpeg,.png,.webp}"),
        (doubled, "found ['a.jpg', 'a.png']"),
        (doubled_without_a_list, 'images/a.jpg and a.png share the stem that names their label'),
        (
            lambda root: build(root, ann_file='gone.txt'),
            'gone.txt does not exist',
        ),
        (high_value, 'segmentations/a.png holds the values [28, 30]'),
        (high_value, "label values 'ids' allow 0..27 and 255"),
        (
            colours,
            'segmentations/a.png: expected one 8-bit channel of class ids, got shape (4, 3, 3)',
        ),
        (other_size, 'segmentations/a.png is (2, 3), its image'),
        (torn, 'segmentations/a.png cannot be decoded'),
        (lambda root: build(root / 'nowhere'), 'nowhere/images does not exist'),
        (lambda root: build(root, vocabulary='lip', values='atr'), 'not to lip'),
    ],
)
def test_errors_name_the_file_and_the_value(tmp_path, write_pair, action, message):
    write_pair(tmp_path, 'a', LABELS)
    with pytest.raises(ValueError, match=re.escape(message)):
        action(tmp_path)


def test_a_missing_label_file_at_load_time(tmp_path):
    with pytest.raises(ValueError, match=r'gone\.png does not exist'):
        LoadLabels()({'seg_map_path': str(tmp_path / 'gone.png'), 'label_table': None})
