# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The label audit: what it counts, what it suggests, what it refuses, and its command."""

from functools import partial

import numpy as np
import pytest
from data_checks.labels import audit_dataset, suggest_weights
from PIL import Image

from sapiens_seg.vocabularies import VOCABULARIES

GOOD = np.zeros((8, 6), np.uint8)
GOOD[2:6], GOOD[6, :3], GOOD[7] = 22, 3, 255


def settings(root, **extra):
    return {
        'type': 'sapiens_seg.BodyPartDataset',
        'vocabulary': 'goliath',
        'data_root': str(root),
        **extra,
    }


def row(report, name):
    return next(line.split() for line in report.splitlines() if f' {name} ' in line)


def test_counts(tmp_path, write_pair):
    write_pair(tmp_path, 'a', GOOD)
    write_pair(tmp_path, 'b', np.full((4, 4), 22))
    audit = audit_dataset(settings(tmp_path))
    assert audit.problems == []
    assert '2 label files, 64 pixels, 9.38 % ignored' in audit.report  # 6 of 64
    assert 'values in the files: [0, 3, 22, 255]' in audit.report
    assert row(audit.report, 'Upper_Clothing')[2:5] == ['40', '62.500', '2']
    assert row(audit.report, 'Hair')[2:5] == ['3', '4.688', '1']
    assert row(audit.report, 'Tongue')[-1] == 'absent'


def test_raw_values_are_counted_under_their_classes(tmp_path, write_pair):
    write_pair(tmp_path, 'a', [[0, 7, 33]])
    audit = audit_dataset(settings(tmp_path, values='goliath_raw'))
    assert audit.problems == []
    assert 'values in the files: [0, 7, 33]' in audit.report
    assert '33.33 % ignored' in audit.report
    assert row(audit.report, 'Tongue')[2] == '1'


def test_problems_name_file_and_value(tmp_path, write_pair):
    write_pair(tmp_path, 'a', GOOD)
    write_pair(tmp_path, 'high', [[0, 28], [29, 1]])
    write_pair(tmp_path, 'size', GOOD)
    Image.fromarray(GOOD[:3]).save(tmp_path / 'segmentations/size.png')
    write_pair(tmp_path, 'torn', GOOD)
    (tmp_path / 'segmentations/torn.png').write_bytes(b'no picture')
    write_pair(tmp_path, 'unreadable', GOOD)
    (tmp_path / 'images/unreadable.jpg').write_bytes(b'no picture')
    problems = audit_dataset(settings(tmp_path)).problems
    expected = [
        "high.png holds the values [28, 29]; label values 'ids' allow 0..27 and 255",
        'size.png is (3, 6), its image',
        'torn.png cannot be decoded',
        'unreadable.jpg',
    ]
    assert len(problems) == len(expected)
    for text, problem in zip(expected, problems, strict=True):
        assert text in problem


@pytest.mark.parametrize(
    ('break_it', 'message'),
    [
        (lambda root: (root / 'segmentations/a.png').unlink(), '1 of 1 images have no label file'),
        (lambda root: (root / 'images/a.jpg').unlink(), 'holds no image'),
        (
            lambda root: Image.fromarray(GOOD * 0 + 255).save(root / 'segmentations/a.png'),
            'no pixel of any class',
        ),
    ],
)
def test_unusable_data(tmp_path, write_pair, break_it, message):
    write_pair(tmp_path, 'a', GOOD)
    break_it(tmp_path)
    problems = audit_dataset(settings(tmp_path)).problems
    assert len(problems) == 1 and message in problems[0]


def test_data_without_labels(tmp_path, write_pair):
    write_pair(tmp_path, 'a', GOOD)
    audit = audit_dataset(settings(tmp_path, data_prefix={'img_path': 'images'}))
    assert audit.problems == [
        'the data set has no seg_map_path folder, so there is nothing to audit'
    ]


def test_suggested_weights():
    weights = suggest_weights(np.array([10000, 100, 100, 1, 0]))
    assert weights.tolist() == [0.1, 1.0, 1.0, 10.0, 1.0]  # the median is 100
    assert suggest_weights(np.zeros(3)).tolist() == [1, 1, 1]
    # the range of the published weights
    published = VOCABULARIES['goliath'].weights
    assert (min(published), max(published)) == (0.1, 10)


@pytest.fixture
def check(exit_of):
    """`check(config, *options)`: exit code and output of the command."""
    return partial(exit_of, 'tools/data/check_dataset.py')


def test_command(check, tmp_path, write_pair):
    for split in ('train', 'val'):
        write_pair(tmp_path / split, 'a', GOOD)
    config = tmp_path / 'config.py'
    config.write_text(
        "train_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[dict("
        f"type='sapiens_seg.BodyPartDataset', vocabulary='goliath', data_root='{tmp_path}/train')]))\n"
        "val_dataloader = dict(dataset=dict(type='sapiens_seg.BodyPartDataset', "
        f"vocabulary='goliath', data_root='{tmp_path}/val'))\n"
        'test_dataloader = val_dataloader\n'
    )
    status, output = check(config, '--workers', 1)
    assert status == 0
    assert output.count('Upper_Clothing') == 2 and 'no problems' in output
    assert 'test: the same data as before' in output
    write_pair(tmp_path / 'val', 'b', [[77]])
    status, output = check(config, '--splits', 'val', '--workers', 1)
    assert status == 1
    assert output.count('PROBLEM') == output.count('b.png holds the values [77]') == 1
    status, output = check(
        config,
        '--workers',
        1,
        '--cfg-options',
        'train_dataloader.dataset.datasets.0.type=CocoDataset',
    )
    assert status == 1 and 'CocoDataset is not in the' in output
