# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Vocabularies and maps of label values: the published facts, and every error."""

import re

import numpy as np
import pytest
from invented_data import mirror_table
from mmengine.config import Config
from mmseg.datasets import LIPDataset

from sapiens_common.layouts.body_parts import BODY_PART_IDS, REMOVED_RAW_PARTS
from sapiens_seg.label_maps import IMPOSSIBLE, LABEL_VALUES, label_table, vocabularies_of
from sapiens_seg.vocabularies import VOCABULARIES, infer_swap_pairs, resolve_vocabulary

GOLIATH, LIP = VOCABULARIES['goliath'], VOCABULARIES['lip']


@pytest.mark.parametrize(
    ('name', 'count', 'pairs'),
    [
        (
            'goliath',
            28,
            [(4, 13), (5, 14), (6, 15), (7, 16), (8, 17), (9, 18), (10, 19), (11, 20)],
        ),
        (
            'goliath29',
            29,
            [(5, 14), (6, 15), (7, 16), (8, 17), (9, 18), (10, 19), (11, 20), (12, 21)],
        ),
        ('lip', 20, [(14, 15), (16, 17), (18, 19)]),
        ('cihp', 20, [(14, 15), (16, 17), (18, 19)]),
        ('face', 19, [(3, 4), (5, 6), (7, 8)]),
        ('foreground', 2, []),
    ],
)
def test_published_counts_and_pairs(name, count, pairs):
    vocabulary = resolve_vocabulary(name)
    assert len(vocabulary.classes) == len(set(vocabulary.classes)) == count
    assert len(set(vocabulary.palette)) == count
    assert list(vocabulary.swap_pairs) == pairs
    # the pairs are those of the names, in each vocabulary
    assert infer_swap_pairs(vocabulary.classes) == vocabulary.swap_pairs


def test_lip_is_upstreams_with_the_published_weights():
    upstream = LIPDataset.METAINFO
    assert LIP.classes == upstream['classes']
    assert [list(color) for color in LIP.palette] == list(upstream['palette'])
    published = [0.1, 1.5, 1, 1.5, 1.5, 0.8, 1.2, 1, 1.5, 0.8, 1.2, 1.5, 1.5, 0.7, 1, 1, 1, 1, 1.5]
    assert list(LIP.weights) == [*published, 1.5]


def test_cihp_differs_from_lip_in_one_name(root):
    cihp = VOCABULARIES['cihp']
    pairs = list(zip(LIP.classes, cihp.classes, strict=True))
    assert [pair for pair in pairs if pair[0] != pair[1]] == [('Jumpsuits', 'Torso-skin')]
    assert pairs[10][1] == 'Torso-skin'
    config = Config.fromfile(root / 'configs/seg/sapiens_tiny_cihp.py')
    loaders = (config.train_dataloader, config.val_dataloader, config.test_dataloader)
    owners = [config.model.decode_head.loss_decode, config.tta_model]
    for owner in (*owners, *(loader.dataset for loader in loaders)):
        assert resolve_vocabulary(owner.vocabulary) == cihp


def test_mirror_table_agrees_with_the_pairs():
    table = mirror_table()
    expected = np.arange(256)
    for left, right in GOLIATH.swap_pairs:
        expected[[left, right]] = right, left
    np.testing.assert_array_equal(table, expected)


def test_a_users_own_classes():
    own = resolve_vocabulary(
        {
            'classes': [
                'background',
                'left hand',
                'RightWing',
                'right hand',
                'LeftWing',
                'brightness',
            ]
        }
    )
    assert own.swap_pairs == ((1, 3), (2, 4))
    assert own.weights is None
    assert len(set(own.palette)) == 6
    named = resolve_vocabulary(
        {'classes': ['bg', 'a', 'b'], 'swap_pairs': [('b', 'a')], 'weights': [1, 2, 3]}
    )
    assert named.swap_pairs == ((2, 1),)
    assert named.weights == (1, 2, 3)


@pytest.mark.parametrize(
    ('vocabulary', 'message'),
    [
        ('goliat', "'goliat' is not one of"),
        ({'names': ['a', 'b']}, "needs 'classes'"),
        ({'classes': ['a', 'a']}, 'must differ'),
        ({'classes': ['only']}, 'expected 2 to 254 classes, got 1'),
        ({'classes': ['bg', 'Left_Hand']}, "'Left_Hand' has no partner 'Right_Hand'"),
        ({'classes': ['bg', 'a'], 'weights': [1]}, '2 classes but 1 entries in weights'),
        ({'classes': ['bg', 'a'], 'palette': [[0, 0, 0]]}, '2 classes but 1 entries in palette'),
        ({'classes': ['bg', 'a'], 'palette': [[0] * 3, [0] * 4]}, 'must hold RGB of 0..255'),
        ({'classes': ['bg', 'a'], 'palette': [[0] * 3, [256] * 3]}, 'must hold RGB of 0..255'),
        ({'classes': ['bg', 'a'], 'swap_pairs': [('a', 'b')]}, "swap_pairs name ['b']"),
        ({'classes': ['bg', 'a'], 'swap_pairs': ['bg', 'a']}, 'must be pairs of class names'),
        (
            {'classes': ['bg', 'a'], 'swap_pairs': [('bg', 'a', 'a')]},
            'must be pairs of class names',
        ),
        (
            {'classes': ['bg', 'a', 'b'], 'swap_pairs': [('a', 'b'), ('b', 'bg')]},
            'must hold each id of 0..2 at most once',
        ),
    ],
)
def test_wrong_vocabularies_say_what_is_wrong(vocabulary, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        resolve_vocabulary(vocabulary)


def test_raw_goliath_labels():
    table = label_table('goliath_raw', GOLIATH)
    raw = {0: 'Background', 1: 'Apparel', 5: 'Face_Neck', 16: 'Lower_Clothing', 33: 'Tongue'}
    for value, name in raw.items():
        assert table[value] == BODY_PART_IDS[name]
    assert (table[:34] == 255).sum() == len(REMOVED_RAW_PARTS) == 6
    assert (table[34:255] == IMPOSSIBLE).all()
    assert table[255] == 255
    kept = table[table < IMPOSSIBLE]
    np.testing.assert_array_equal(np.sort(kept), np.arange(28))


@pytest.mark.parametrize(
    ('values', 'count', 'expected'),
    [
        ('lip', 20, {0: 0, 2: 3, 5: 22, 7: 22, 9: 12, 12: 12, 13: 2, 18: 8, 19: 17}),
        ('cihp', 20, {0: 0, 2: 3, 5: 22, 7: 22, 9: 12, 12: 12, 13: 2, 18: 8, 19: 17}),
        ('atr', 18, {0: 0, 2: 3, 4: 22, 5: 12, 6: 12, 9: 8, 10: 17, 11: 2}),
        ('pascal_person_part', 7, {0: 0}),
    ],
)
def test_other_data_sets_map_only_what_is_certain(values, count, expected):
    table = label_table(values, GOLIATH)
    for value in range(count):
        assert table[value] == expected.get(value, 255)
    assert (table[count:255] == IMPOSSIBLE).all()
    # a mirrored source label maps to the mirrored part
    if values in ('lip', 'cihp'):
        mirror = dict(pair for a, b in LIP.swap_pairs for pair in ((a, b), (b, a)))
        for value in range(count):
            assert mirror_table()[table[value]] == table[mirror.get(value, value)]


def test_foreground_tables():
    foreground = VOCABULARIES['foreground']
    parts, mask = label_table('any_part', foreground), label_table('mask', foreground)
    assert parts[0] == mask[0] == 0
    assert (parts[1:255] == 1).all() and (mask[1:] == 1).all()
    assert parts[255] == 255


@pytest.mark.parametrize(
    ('values', 'vocabulary', 'message'),
    [
        ('rgb', 'lip', "label values 'rgb' are not one of"),
        (
            'atr',
            'lip',
            "label values 'atr' map to the vocabularies goliath and goliath29, not to lip",
        ),
        ('mask', 'lip', "label values 'mask' map to the vocabulary foreground, not to lip"),
    ],
)
def test_wrong_tables_say_what_is_wrong(values, vocabulary, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        label_table(values, VOCABULARIES[vocabulary])


def test_every_table_is_complete():
    for values in LABEL_VALUES:
        for name in ['goliath'] if values == 'ids' else vocabularies_of(values):
            vocabulary = VOCABULARIES[name]
            table = label_table(values, vocabulary)
            assert table.shape == (256,) and table.dtype == np.uint8
            assert set(table) <= {*range(len(vocabulary.classes)), IMPOSSIBLE, 255}


def test_28_and_29_parts():
    two, one = VOCABULARIES['goliath29'], VOCABULARIES['goliath']
    up, down = label_table('goliath', two), label_table('goliath29', one)
    np.testing.assert_array_equal(up[:28], [0, 1, *range(3, 29)])
    np.testing.assert_array_equal(down[:29], [0, 1, 2, *range(2, 28)])
    np.testing.assert_array_equal(down[up[:28]], np.arange(28))
    assert [two.classes[index] for index in up[:28]] == list(one.classes)
    for index in range(28):  # shared classes look and weigh the same
        assert two.palette[up[index]] == one.palette[index]
        assert two.weights[up[index]] == one.weights[index]
    assert two.classes[2] == 'Eyeglass' and two.weights[2] == 10


@pytest.mark.parametrize(
    ('values', 'count', 'expected'),
    [
        ('goliath_raw', 34, {2: 0, 3: 2, 4: 2, 5: 3, 7: 255, 17: 13, 28: 255, 33: 28}),
        ('shutterstock', 52, {1: 1, 8: 3, 9: 255, 25: 2, 39: 4, 40: 0, 41: 15, 50: 6}),
        ('face33', 33, {1: 3, 4: 3, 17: 255, 29: 2, 32: 0}),
        ('lip', 20, {4: 2, 2: 4, 13: 3, 11: 255}),
    ],
)
def test_published_sources_of_29_parts(values, count, expected):
    table = label_table(values, VOCABULARIES['goliath29'])
    assert {value: table[value] for value in expected} == expected
    assert (table[:count] != IMPOSSIBLE).all() and (table[count:255] == IMPOSSIBLE).all()


def test_a_shipped_vocabulary_with_other_weights():
    changed = resolve_vocabulary({'name': 'face', 'weights': list(range(19))})
    shipped = VOCABULARIES['face']
    assert changed.weights == tuple(range(19)) and changed.swap_pairs == shipped.swap_pairs
    assert (changed.name, changed.classes, changed.palette) == (
        'face', shipped.classes, shipped.palette,
    )  # fmt: skip
    assert all(resolve_vocabulary({'name': name}) == one for name, one in VOCABULARIES.items())
    with pytest.raises(ValueError, match='19 classes but 2 entries in weights'):
        resolve_vocabulary({'name': 'face', 'weights': [1, 2]})
    with pytest.raises(ValueError, match="vocabulary 'nose' is not one of"):
        resolve_vocabulary({'name': 'nose'})


def test_class_names_are_a_vocabulary():
    own = resolve_vocabulary(['bg', 'left arm', 'right arm'])
    assert own.classes == ('bg', 'left arm', 'right arm') and own.swap_pairs == ((1, 2),)
    inherited = resolve_vocabulary({'name': 'face', 'classes': own.classes})
    assert inherited == own and own.name == 'custom'
