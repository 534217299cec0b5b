# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Scorers, filters of one's own, and near-duplicates."""

import cv2
import numpy as np
import pytest
from invented_photos import jpeg, photo_like

from sapiens_pretrain.curation import ScoreFilter
from sapiens_pretrain.curation import filters as filters_module
from sapiens_pretrain.curation.duplicates import difference_hash
from sapiens_pretrain.curation.filters import (
    SCORERS,
    drawing_score,
    make_filter,
    watermark_score,
)
from sapiens_pretrain.curation.photo import Photo, Record
from sapiens_pretrain.curation.text import _reader, text_share


def text_page(seed):
    image = photo_like(seed)
    for row in range(40, 360, 28):
        cv2.putText(image, 'lorem ipsum dolor sit', (20, row), 0, 0.7, (255, 255, 255), 2)
    return image


def marked(seed):
    """A photo under a faint, tiled mark."""
    mark = np.zeros((80, 90), np.uint8)
    cv2.putText(mark, 'stock', (2, 50), 0, 0.9, 255, 2)
    tiled = np.tile(mark, (5, 4))[..., None].astype(float) / 255
    return (photo_like(seed) * (1 - 0.25 * tiled) + 255 * 0.25 * tiled).astype(np.uint8)


def drawing(seed):
    random = np.random.default_rng(seed)
    image = np.full((400, 360, 3), 230, np.uint8)
    for _ in range(6):
        center = tuple(int(v) for v in random.integers(40, 320, 2))
        color = tuple(int(v) for v in random.integers(0, 255, 3))
        cv2.circle(image, center, int(random.integers(20, 80)), color, -1, cv2.LINE_AA)
    return image


@pytest.mark.parametrize(
    ('name', 'scorer', 'example'),
    [
        ('text', text_share, text_page),
        ('watermark', watermark_score, marked),
        ('art', drawing_score, drawing),
    ],
)
def test_default_scorers_separate_their_examples(name, scorer, example):
    threshold = SCORERS[name][1]
    photos = [scorer(photo_like(seed)) for seed in range(3)]
    examples = [scorer(example(seed)) for seed in range(3)]
    assert max(photos) < threshold < min(examples), (photos, examples)


def test_photographs_pass_the_default_scorers(samples):
    for path in sorted((samples / 'coco').glob('*.jpg')):
        image = cv2.imread(str(path))
        for name, (scorer, threshold) in SCORERS.items():
            assert scorer(image) < threshold, (path.name, name)


def test_text_of_any_direction_and_hand_is_found():
    page = text_page(0)
    threshold = SCORERS['text'][1]
    assert text_share(np.ascontiguousarray(np.rot90(page))) > threshold
    large = cv2.putText(photo_like(1), 'NEWS', (10, 240), 0, 4.5, (0, 0, 255), 18)
    script = cv2.FONT_HERSHEY_SCRIPT_COMPLEX
    written = cv2.putText(photo_like(2), 'with love', (20, 200), script, 2, (0, 0, 0), 3)
    assert min(text_share(large), text_share(written)) > threshold
    # A number on a shirt is no reason.
    number = cv2.putText(photo_like(3), '7', (180, 200), 0, 0.8, (255, 255, 255), 2)
    assert text_share(number) < threshold


def test_the_text_reader_needs_no_network(monkeypatch):
    def connect(*_):
        raise AssertionError('a connection was tried')

    monkeypatch.setattr('socket.socket.connect', connect)
    _reader.cache_clear()
    assert text_share(text_page(0)) > 0.1


def test_the_text_reader_is_an_extra(monkeypatch):
    monkeypatch.setattr(filters_module, 'find_spec', lambda name: None)
    with pytest.raises(
        ImportError, match=r'needs RapidOCR: pip install "sapiens-openmmlab\[curation\]"'
    ):
        make_filter('text')


def test_thresholds_of_ones_own():
    assert make_filter('text').threshold == SCORERS['text'][1]
    assert make_filter('text=0.02').threshold == 0.02


def test_flat_images_do_not_break_scorers():
    flat = np.zeros((50, 60, 3), np.uint8)
    assert [scorer(flat) for scorer, _ in SCORERS.values()] == [0.0, 0.0, 1.0]


@pytest.mark.parametrize('shape', [(1, 1, 3), (1, 40, 3), (40, 1, 3), (2, 2, 3), (9, 3000, 3)])
def test_images_of_a_few_pixels_do_not_break_scorers(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert all(0 <= scorer(image) <= 1 for scorer, _ in SCORERS.values())


def test_own_filters():
    found = make_filter('sapiens_pretrain.curation.filters:MinSize')
    assert found.side == 300
    scorer = ScoreFilter('brightness', lambda image: image.mean() / 255, 0.9)
    record = Record(0, 'x')
    white = Photo('x', jpeg(np.full((32, 32, 3), 255, np.uint8)))
    assert scorer(white, record) == 'brightness: score 1.000 above 0.9'
    assert record.scores == {'brightness': 1.0}
    with pytest.raises(ValueError, match="filter 'nonsense' is not one of"):
        make_filter('nonsense')


def test_hash_survives_what_it_should():
    image = photo_like(0)
    same = [
        cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        cv2.imdecode(np.frombuffer(jpeg(image, 40), np.uint8), cv2.IMREAD_COLOR),
        (image * 0.8).astype(np.uint8),
    ]
    value = difference_hash(image)
    assert all((value ^ difference_hash(other)).bit_count() <= 4 for other in same)
    assert (value ^ difference_hash(photo_like(1))).bit_count() > 12
