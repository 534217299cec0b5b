# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import copy
import json

import numpy as np
import pytest
from mmpose.evaluation.metrics import CocoMetric

from sapiens_common.layouts.goliath308 import group_ids
from sapiens_pose.datasets.goliath import read_goliath_keypoints
from sapiens_pose.evaluation import CompletedCocoMetric, Humans5KMetric
from sapiens_pose.evaluation.group_eval import (
    ROWS,
    STATS,
    evaluate_groups,
    format_paper_row,
    format_table,
)
from sapiens_pose.layouts import layout_metainfo


@pytest.fixture
def reference(golden_dir):
    """Annotations, predictions and expected figures."""
    names = ('annotations', 'predictions', 'expected')
    return [json.loads((golden_dir / f'goliath_eval/{name}.json').read_text()) for name in names]


def evaluate(truth, predictions, **kwargs):
    return evaluate_groups(
        truth,
        [read_goliath_keypoints(annotation) for annotation in truth['annotations']],
        predictions,
        [read_goliath_keypoints(prediction) for prediction in predictions],
        **kwargs,
    )


def test_golden_evaluation(reference):
    truth, predictions, expected = reference
    results = evaluate(truth, predictions)
    for group, figures in expected.items():
        for stat, value in figures.items():
            assert results[group][stat] == pytest.approx(value, abs=1e-6), (group, stat)


def feed(metric, truth, predictions, read=read_goliath_keypoints, layout='goliath'):
    """Run a metric over predictions as a model would leave them, one person per sample."""
    metric.dataset_meta = layout_metainfo(layout)
    samples = []
    for index, prediction in enumerate(predictions):
        points = read(prediction)[None]
        samples.append(
            {
                'id': index,
                'img_id': prediction['image_id'],
                'pred_instances': {
                    'keypoints': points[..., :2],
                    'keypoint_scores': np.ones(points.shape[:2], np.float32),
                    'bboxes': np.array([[0, 0, 5, 5]]),
                },
                'gt_instances': {
                    'bbox_scores': np.array([prediction['score']]),
                    'bbox_scales': np.array([[300.0, 400.0]]),
                },
            }
        )
    metric.process([], samples)
    return metric.evaluate(size=len(samples))


def test_metric_returns_every_group_and_dumps_coco_json(reference, tmp_path, golden_dir):
    truth, predictions, expected = reference
    annotations = str(golden_dir / 'goliath_eval/annotations.json')
    metric = Humans5KMetric(annotations, outfile_prefix=str(tmp_path / 'results'))
    figures = feed(metric, truth, predictions)
    assert len(figures) == len(ROWS) * len(STATS)
    for stat in STATS:
        assert figures[f'goliath/{stat}'] == pytest.approx(expected['whole'][stat], abs=1e-6)
        for group in group_ids():
            assert figures[f'goliath/{group}_{stat}'] == pytest.approx(
                expected[group][stat], abs=1e-6
            )
    hands = [expected[f'{side}_hand']['AP'] for side in ('left', 'right')]
    assert figures['goliath/hand_AP'] == pytest.approx(np.mean(hands), abs=1e-6)

    dumped = json.loads((tmp_path / 'results.keypoints.json').read_text())
    assert len(dumped) == len(predictions)
    assert {len(entry['keypoints']) for entry in dumped} == {308 * 3}
    assert set(dumped[0]) >= {'image_id', 'category_id', 'keypoints', 'score'}


@pytest.mark.parametrize('lacks', ['nothing else', 'categories', 'category_id too'])
def test_files_without_area_and_crowds_are_evaluated(reference, tmp_path, lacks):
    truth, predictions, _ = copy.deepcopy(reference)
    for annotation in truth['annotations']:
        annotation.update(iscrowd=0, area=0.53 * annotation['bbox'][2] * annotation['bbox'][3])
    (tmp_path / 'whole.json').write_text(json.dumps(truth))
    for annotation in truth['annotations']:
        del annotation['iscrowd'], annotation['area']
        if lacks == 'category_id too':
            del annotation['category_id']
    if lacks != 'nothing else':
        del truth['categories']
    (tmp_path / 'bare.json').write_text(json.dumps(truth))

    def body(prediction):
        return read_goliath_keypoints(prediction)[:17]

    wanted, found = (
        feed(metric(str(tmp_path / name)), truth, predictions, body, 'coco')
        for metric, name in ((CocoMetric, 'whole.json'), (CompletedCocoMetric, 'bare.json'))
    )
    assert found == wanted and 0 < found['coco/AP'] < 1


def test_duplicates_are_suppressed_by_oks(reference, golden_dir):
    truth, predictions, expected = reference
    doubled = copy.deepcopy(predictions) + copy.deepcopy(predictions)
    for entry in doubled[len(predictions) :]:
        entry['score'] -= 0.001
    metric = Humans5KMetric(str(golden_dir / 'goliath_eval/annotations.json'))
    assert feed(metric, truth, doubled)['goliath/AP'] == pytest.approx(
        expected['whole']['AP'], abs=1e-6
    )


@pytest.mark.parametrize('rule', [{'iscrowd': 1}, {'num_keypoints': 0}])
def test_people_left_out_by_rule_need_no_points(reference, tmp_path, rule):
    truth, predictions, expected = copy.deepcopy(reference)
    other = {key: truth['annotations'][0][key] for key in ('image_id', 'category_id', 'area')}
    truth['annotations'].append({**other, 'id': 999, 'bbox': [5000, 5000, 2, 2], **rule})
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    figures = feed(Humans5KMetric(str(tmp_path / 'truth.json')), truth, predictions)
    assert figures['goliath/AP'] == pytest.approx(expected['whole']['AP'], abs=1e-6)


def test_a_group_without_annotations_has_no_figure(reference):
    truth, predictions, _ = copy.deepcopy(reference)
    for annotation in truth['annotations']:
        points = np.array(annotation['goliath_wholebody_kpts']).reshape(308, 3)
        points[group_ids()['left_hand'], 2] = 0
        annotation['goliath_wholebody_kpts'] = points.ravel().tolist()
    results = evaluate(truth, predictions)
    assert results['left_hand']['AP'] == -1
    assert results['hand']['AP'] == results['right_hand']['AP'] > 0
    assert 'left hand        -' in format_table(results)


def test_nothing_found_scores_zero(reference):
    results = evaluate(reference[0], [])
    assert {value for figures in results.values() for value in figures.values()} == {0.0}


def test_tables_are_in_percent(reference):
    truth, predictions, expected = reference
    results = evaluate(truth, predictions)
    whole = f'{100 * expected["whole"]["AP"]:.1f}'
    assert f'whole         {whole}' in format_table(results)
    header, row = format_paper_row(results).splitlines()
    assert header.split(' | ')[-1].split() == ['Whole', 'AP', 'AR']
    assert row.split(' | ')[-1].split() == [whole, f'{100 * expected["whole"]["AR"]:.1f}']


def test_missing_area_is_named(reference):
    truth, predictions, _ = copy.deepcopy(reference)
    truth['annotations'][3].pop('area')
    with pytest.raises(
        ValueError, match='annotation 4 lacks the key area; add it, or set use_area=F'
    ):
        evaluate(truth, predictions)
    assert evaluate(truth, predictions, use_area=False)['whole']['AP'] > 0
