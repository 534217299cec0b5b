# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Studies of short trainings: what they measure on, and that they go on where they stopped."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from benchmarks import equal_time, few_images_data
from benchmarks.studies import Table

from sapiens_common.layouts.goliath308 import load_goliath308


@pytest.fixture
def renders(tmp_path):
    """Six people in training and three held out; only the knee of the last is seen."""
    names = [point['name'] for point in load_goliath308()['keypoints']]
    (tmp_path / 'segmentations').mkdir()
    (tmp_path / 'annotations').mkdir()
    for split, ids in (('train', range(6)), ('val', range(6, 9))):
        images, people = [], []
        for number in ids:
            points = np.full((308, 3), [5.0, 7.0, 2.0])
            points[names.index('left_knee')] = [10, 20, 2]
            points[names.index('left_hip')] = [20, 10, 1]
            points[names.index('right_wrist'), 2] = 0
            if number == 8:
                points[np.arange(308) != names.index('left_knee'), 2] = 0
            images.append({'id': number, 'file_name': f'{number}.jpg', 'width': 30, 'height': 40})
            person = {'id': number, 'image_id': number, 'iscrowd': 0, 'bbox': [0, 0, 30, 40]}
            person |= {'area': 1200, 'goliath_wholebody_kpts': points.tolist()}
            people.append(person)
            labels = np.arange(28, dtype=np.uint8).reshape(4, 7)
            cv2.imwrite(str(tmp_path / f'segmentations/{number}.png'), labels)
        content = {'images': images, 'annotations': people}
        path = tmp_path / f'annotations/person_keypoints_{split}.json'
        path.write_text(json.dumps(content))
    return tmp_path


def test_other_points_and_classes(renders, tmp_path):
    out = tmp_path / 'own'
    few_images_data.prepare(renders, out)
    splits = {
        name: json.loads((out / f'{name}.json').read_text())
        for name in ('train', 'choose', 'figures')
    }
    # Two of the three held out have four points: one to choose with needs three.
    assert [len(split['images']) for split in splits.values()] == [6, 0, 2]
    assert (out / 'train.txt').read_text() == '0\n1\n2\n3\n4\n5\n'
    person = splits['train']['annotations'][0]
    points = dict(
        zip(few_images_data.POINTS, np.reshape(person['keypoints'], (-1, 3)), strict=True)
    )
    np.testing.assert_array_equal(points['left_thigh'], [15, 15, 1])
    np.testing.assert_array_equal(points['left_shin'], [7.5, 13.5, 2])
    np.testing.assert_array_equal(points['right_forearm'], [0, 0, 0])
    assert person['num_keypoints'] == 9 and len(points) == 10
    known = {point['name'] for point in load_goliath308()['keypoints']}
    assert not known & set(points)

    labels = cv2.imread(str(out / 'segmentations/0.png'), cv2.IMREAD_UNCHANGED).ravel()
    names = [(few_images_data.CLASSES[i] if i < 255 else None) for i in labels]
    parts = [part.name for part in few_images_data.BODY_PARTS]
    found = dict(zip(parts, names, strict=True))
    assert found['Background'] == 'Background' and found['Apparel'] is None
    assert found['Torso'] == found['Left_Hand'] == found['Upper_Teeth'] == 'Skin'
    assert found['Left_Sock'] == found['Right_Shoe'] == 'Shoes' and found['Left_Foot'] == 'Skin'
    assert (found['Upper_Clothing'], found['Lower_Clothing']) == ('Upper', 'Lower')


def test_a_table_goes_on_where_it_stopped(tmp_path):
    calls = []

    def measure(way, rate, seed):
        calls.append((way, rate, seed))
        return {'value': 10 * rate + seed}

    for seeds in (1, 3):
        table = Table(tmp_path / 'deep/table.csv', ('way', 'rate', 'seed'))
        for seed in range(seeds):
            for rate in (0.5, 1.0):
                row = table.fill(measure, way='full', rate=rate, seed=seed)
                assert float(row['value']) == 10 * rate + seed
    assert calls == [('full', rate, seed) for seed in range(3) for rate in (0.5, 1.0)]
    assert table.values(way='full', rate=1.0).tolist() == [10, 11, 12]
    assert len(table.values(way='lora')) == 0


def test_training_ends_with_the_budget(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(equal_time.time, 'process_time', lambda: clock[0])
    groups = [{'lr': 1.0}, {'lr': 0.1}]
    runner = SimpleNamespace(
        optim_wrapper=SimpleNamespace(param_groups=groups), train_loop=SimpleNamespace()
    )
    hook = equal_time.ProcessorBudget(seconds=10)
    hook.before_train(runner)
    rates, stops = [], []
    for clock[0] in (100.0, 100.5, 101.0, 105.5, 109.9, 110.5):
        hook.before_train_iter(runner, 0)
        hook.after_train_iter(runner)
        rates.append(groups[0]['lr'])
        stops.append(runner.train_loop.stop_training)
        assert groups[1]['lr'] == pytest.approx(0.1 * rates[-1])
    np.testing.assert_allclose(rates[:4], [0.01, 0.5, 1.0, 0.5])
    assert 0 < rates[4] < 1e-3 and rates[5] == 0
    assert stops == [False] * 5 + [True]
