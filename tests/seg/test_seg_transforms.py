# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Mirroring swaps every pair of every vocabulary; the recipe's pipeline keeps labels on pixels."""

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import Compose

from sapiens_seg.datasets import RejectBackground, SwapFlip
from sapiens_seg.datasets.body_part_dataset import BodyPartDataset
from sapiens_seg.vocabularies import VOCABULARIES


@pytest.mark.parametrize('name', VOCABULARIES)
def test_mirroring_swaps_the_pairs_of_each_vocabulary(name):
    vocabulary = VOCABULARIES[name]
    count = len(vocabulary.classes)
    # every class and the ignored value once, in a row
    labels = np.array([[*range(count), 255]], np.uint8)
    image = np.arange(3 * (count + 1), dtype=np.uint8).reshape(1, -1, 3)
    results = {
        'img': image,
        'gt_seg_map': labels.copy(),  # upstream mirrors in place
        'seg_fields': ['gt_seg_map'],
        'swap_pairs': vocabulary.swap_pairs,
    }
    mirrored = SwapFlip(prob=1.0)(dict(results))
    np.testing.assert_array_equal(mirrored['img'], image[:, ::-1])
    names = [*vocabulary.classes, 'ignored']

    def partner(word):
        swap = {'Left': 'Right', 'Right': 'Left'}
        side = next((side for side in swap if side in word), None)
        return word if side is None else word.replace(side, swap[side])

    expected = [partner(word) for word in names[::-1]]
    ids = {**{word: i for i, word in enumerate(vocabulary.classes)}, 'ignored': 255}
    assert mirrored['gt_seg_map'][0].tolist() == [ids[word] for word in expected]
    sided = sum('Left' in word or 'Right' in word for word in names)
    assert sided == 2 * len(vocabulary.swap_pairs)
    # twice is nothing
    again = SwapFlip(prob=1.0)(mirrored)
    np.testing.assert_array_equal(again['gt_seg_map'], labels)


def test_not_mirrored_is_untouched():
    labels = np.array([[4, 13]], np.uint8)
    results = {
        'img': np.zeros((1, 2, 3), np.uint8),
        'gt_seg_map': labels.copy(),  # upstream mirrors in place
        'seg_fields': ['gt_seg_map'],
    }
    after = SwapFlip(prob=0.0)({**results, 'swap_pairs': ((4, 13),)})
    np.testing.assert_array_equal(after['gt_seg_map'], [[4, 13]])


def test_a_sample_without_pairs_is_an_error():
    with pytest.raises(ValueError, match=r'photo\.jpg: the sample has no swap_pairs'):
        SwapFlip()({'img': np.zeros((1, 2, 3)), 'img_path': 'photo.jpg'})


@pytest.mark.parametrize('data', ['goliath', 'lip', 'cihp'])
def test_recipe_pipelines_keep_labels_on_their_pixels(root, tmp_path, write_pair, data):
    """Each label paints its own grey: after all geometry the two must still agree."""
    config = Config.fromfile(root / f'configs/seg/sapiens_tiny_{data}.py')
    settings = config.train_dataloader.dataset
    steps = [
        step
        for step in settings.pipeline
        if step.type not in ('sapiens_common.ColourDistortion', 'sapiens_common.RandomBackground')
    ]
    labels = np.zeros((90, 70), np.uint8)
    labels[20:80, 10:30], labels[30:60, 40:64] = 4, 13
    if data != 'goliath':
        labels[labels == 4], labels[labels == 13] = 16, 17
    write_pair(tmp_path, 'a', labels, ext='.png')
    dataset = BodyPartDataset(
        vocabulary=settings.vocabulary, data_root=str(tmp_path), pipeline=steps[:-1]
    )
    left, right = (4, 13) if data == 'goliath' else (16, 17)
    blue = {0: 0, left: left * 9, right: right * 9}  # first channel of the picture
    np.random.seed(0)
    for _ in range(8):
        sample = dataset[0]
        assert sample['img'].shape == (256, 192, 3) and sample['gt_seg_map'].shape == (256, 192)
        seen = sample['img'][..., 0].astype(int)
        names = {left: right, right: left} if sample['flip'] else {left: left, right: right}
        for value in (left, right):
            inside = sample['gt_seg_map'] == value
            if inside.sum() > 400:
                # edges are blended by the linear resize; the bulk must be the label's own colour
                assert np.median(seen[inside]) == blue[names[value]]
                assert (abs(seen[inside] - blue[names[value]]) < 4).mean() > 0.75


def test_test_pipeline_ignores_the_aspect_ratio(root, tmp_path, write_pair):
    config = Config.fromfile(root / 'configs/seg/sapiens_tiny_goliath.py')
    labels = np.zeros((90, 200), np.uint8)
    write_pair(tmp_path, 'a', labels)
    settings = {**config.val_dataloader.dataset, 'data_root': str(tmp_path)}
    settings.pop('type')
    sample = BodyPartDataset(**settings)[0]
    assert sample['inputs'].shape == (3, 256, 192)
    assert sample['data_samples'].gt_sem_seg.data.shape == (1, 90, 200)
    assert Compose(config.test_dataloader.dataset.pipeline)  # the same as a test pipeline


def test_hardly_any_foreground_is_dropped():
    labels = np.zeros((10, 20), np.uint8)
    labels[:2, :5] = 255  # ignored pixels are no foreground
    labels[5, 5] = 3
    assert RejectBackground()({'gt_seg_map': labels}) is None  # 1 of 200
    labels[5, 6] = 4
    assert RejectBackground()({'gt_seg_map': labels}) is not None
