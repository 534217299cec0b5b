# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Colour distortion: the numbers of upstream's classes, and what they were meant to be."""

from unittest import mock

import numpy as np
import pytest
from mmpose.datasets.transforms import PhotometricDistortion as MMPoseDistortion
from mmseg.datasets.transforms import PhotoMetricDistortion as MMSegDistortion

from sapiens_common.registry import TRANSFORMS
from sapiens_common.transforms import ColourDistortion
from sapiens_common.transforms.photometric import Distortion, distort


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ('brightness', 'saturation', 'hue', 'order'),
    [
        (0, 1.0, 0, (0, 1, 2)),
        (17.3, 1.0, 0, (0, 1, 2)),
        (-31.9, 1.0, 0, (2, 0, 1)),
        (0, 0.51, 0, (1, 2, 0)),
        (5.5, 1.49, 0, (2, 1, 0)),
        (-9.25, 0.77, 3, (0, 1, 2)),
    ],
)
def test_equal_to_mmpose(image, brightness, saturation, hue, order):
    # Hues above 176 are where mmpose runs past the range instead of around.
    image = image.copy()
    mode = 3 if saturation != 1 or hue else 0
    flags = (0, brightness != 0, False, mode, True, brightness, 1.0, saturation, hue, list(order))
    with mock.patch.object(MMPoseDistortion, '_random_flags', return_value=flags):
        expected = MMPoseDistortion().transform({'img': image.copy()})['img']
    how = Distortion(brightness=brightness, saturation=saturation, hue=hue, order=order)
    found = distort(image, how)
    if hue:
        differs = (found != expected).any(axis=-1)
        assert differs.mean() < 0.05
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('kind', ['brightness', 'contrast', 'saturation', 'hue'])
@pytest.mark.parametrize('value', [-16, -3, 0.6, 1.4, 17])
def test_each_step_is_equal_to_mmseg(image, kind, value):
    value = {'hue': round(value) or 9, 'brightness': value}.get(kind, abs(value) / 2)
    upstream = MMSegDistortion()
    random = mock.Mock(randint=mock.Mock(side_effect=[1, value]), uniform=lambda *_: value)
    with mock.patch('mmseg.datasets.transforms.transforms.random', random):
        expected = getattr(upstream, kind)(image.copy())
    np.testing.assert_array_equal(distort(image.copy(), Distortion(**{kind: value})), expected)


@pytest.mark.parametrize('last', [False, True])
def test_contrast_is_applied_once(image, last):
    how = Distortion(contrast=1.3, saturation=0.8, contrast_last=last)
    steps = [Distortion(contrast=1.3), Distortion(saturation=0.8)]
    expected = image.copy()
    for step in reversed(steps) if last else steps:
        expected = distort(expected, step)
    np.testing.assert_array_equal(distort(image.copy(), how), expected)


def test_views_are_not_written_to(image):
    original = image.copy()
    distort(image[:, ::-1], Distortion(brightness=20))
    np.testing.assert_array_equal(image, original)


def test_draws_cover_the_ranges_and_follow_the_seed(image):
    transform = ColourDistortion(channel_swap=True)
    np.random.seed(0)
    drawn = [transform.draw() for _ in range(400)]
    for name, low, high, same in (
        ('brightness', -32, 32, 0.0),
        ('contrast', 0.5, 1.5, 1.0),
        ('saturation', 0.5, 1.5, 1.0),
        ('hue', -18, 17, 0),
    ):
        values = np.array([getattr(how, name) for how in drawn])
        changed = values[values != same]
        assert 0.4 < len(changed) / len(values) < 0.6
        assert low <= changed.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < changed.max() <= high
    assert len({how.order for how in drawn}) == 6
    np.random.seed(0)
    assert [transform.draw() for _ in range(400)] == drawn
    assert all(ColourDistortion().draw().order == (0, 1, 2) for _ in range(50))


def test_a_hue_that_stays():
    draws = [ColourDistortion(hue_delta=0).draw() for _ in range(20)]
    assert {draw.hue for draw in draws} == {0}


def test_found_by_its_type():
    built = TRANSFORMS.build({'type': 'sapiens_common.ColourDistortion', 'hue_delta': 9})
    assert 'hue_delta=9' in repr(built)
