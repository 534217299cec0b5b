# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Large photos are decoded at a part of their size, and their labels follow."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from sapiens_common.transforms import LoadPhoto
from sapiens_seg.datasets import BodyPartDataset


@pytest.mark.parametrize(
    ('size', 'shape'),
    [
        ((64, 48), (64, 48)),
        ((127, 96), (127, 96)),
        ((128, 96), (64, 48)),
        ((96, 129), (48, 65)),  # rounded up
        ((400, 300), (100, 75)),
        ((800, 5000), (100, 625)),
    ],
)
def test_no_side_falls_below_what_is_asked_for(tmp_path, size, shape):
    path = tmp_path / 'photo.jpg'
    cv2.imwrite(str(path), np.full((*size, 3), 90, np.uint8))
    found = LoadPhoto(at_least=(64, 48)).transform({'img_path': str(path)})
    assert found['img'].shape == (*shape, 3)
    assert found['img_shape'] == shape and found['ori_shape'] == size
    assert abs(int(found['img'].mean()) - 90) < 2
    whole = LoadPhoto().transform({'img_path': str(path)})
    assert whole['img_shape'] == whole['ori_shape'] == size


@pytest.mark.parametrize('size', [(1024, 768), (1029, 771), (769, 1031)])
def test_labels_stay_on_their_pixels(root, tmp_path, size):
    """A bright square and its label, through the recipe's geometry."""
    for folder in ('images', 'segmentations'):
        (tmp_path / folder).mkdir()
    labels = np.zeros(size, np.uint8)
    labels[size[0] // 4 : -(size[0] // 4), size[1] // 4 : -(size[1] // 4)] = 21
    cv2.imwrite(str(tmp_path / 'segmentations/a.png'), labels)
    cv2.imwrite(str(tmp_path / 'images/a.jpg'), np.dstack([labels * 12] * 3))
    config = Config.fromfile(root / 'configs/seg/sapiens_tiny_goliath.py')
    steps = [
        step
        for step in config.train_dataloader.dataset.pipeline
        if 'Distortion' not in step.type and 'Background' not in step.type
    ]
    assert steps[0].at_least == (512, 384)
    dataset = BodyPartDataset(vocabulary='goliath', data_root=str(tmp_path), pipeline=[*steps[:-1]])
    np.random.seed(0)
    for _ in range(6):
        sample = dataset[0]
        assert sample['reduction'] == 2
        assert sample['gt_seg_map'].shape == sample['img'].shape[:2] == (256, 192)
        bright = sample['img'][..., 0] > 126
        assert (bright != (sample['gt_seg_map'] == 21)).mean() < 0.03


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(ValueError, match=r'gone\.jpg does not exist'):
        LoadPhoto(at_least=(64, 48)).transform({'img_path': str(tmp_path / 'gone.jpg')})
