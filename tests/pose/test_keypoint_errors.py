# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Errors per keypoint, worked out by hand."""

import numpy as np
import pytest

from sapiens_pose.evaluation.keypoint_errors import (
    KeypointErrorMetric,
    People,
    keypoint_rows,
    labelled_errors,
)


@pytest.fixture
def people():
    """Two people of one photo with sides 10 and 100; a point of the first is not labelled."""
    return People(
        names=['eye', 'toe'],
        points=np.array([[[1, 1], [0, 0]], [[50, 50], [60, 50]]], np.float32),
        flags=np.array([[2, 0], [1, 2]]),
        boxes=np.array([[0, 0, 10, 5], [0, 0, 80, 100]], np.float32),
        ids=[7, 9],
        images=[3, 3],
        paths=['a.jpg', 'a.jpg'],
    )


def sample(points, box, score=1.0, number=0):
    found = {'keypoints': np.array([points]), 'bboxes': np.array([box]), 'bbox_scores': [score]}
    return {'img_id': 3, 'id': number, 'pred_instances': found}


def test_a_row_per_keypoint(people):
    found = people.points + np.array([[[1, 0], [5, 5]], [[0, 3], [20, 0]]])
    eye, toe = keypoint_rows(people, labelled_errors(people, found))
    assert eye == {
        'keypoint': 'eye',
        'count': 2,
        'mean_px': 2.0,
        'median_px': 2.0,
        'pck@0.05': 0.5,
        'pck@0.1': 1.0,
        'pck@0.2': 1.0,
        'visible': 1,
        'visible_error': 0.1,
        'hidden': 1,
        'hidden_error': 0.03,
    }
    assert (toe['count'], toe['mean_px'], toe['pck@0.1'], toe['pck@0.2']) == (1, 20.0, 0.0, 1.0)
    assert toe['hidden'] == 0 and toe['hidden_error'] is None


def test_annotated_boxes_go_by_their_ids(people):
    metric = KeypointErrorMetric(people)
    metric.process({}, [sample([[51, 50], [60, 50]], [0, 0, 1, 1], number=9)])
    assert metric.evaluate(2)['keypoints/mean_px'] == pytest.approx(0.5)
    assert np.isnan(metric.found[0]).all()
    assert metric.reports['keypoints'][0]['count'] == 1


def test_detected_boxes_go_by_overlap_and_score(people):
    metric = KeypointErrorMetric(people, detected=True)
    near, far = [[50, 50], [60, 50]], [[0, 0], [0, 0]]
    metric.process({}, [sample(far, [0, 0, 80, 99], 0.4), sample(near, [0, 0, 80, 90], 0.9)])
    metric.process({}, [sample(far, [4, 0, 14, 5], 0.9)])  # IoU 6 / 14 with the first person
    metric.evaluate(3)
    np.testing.assert_array_equal(metric.found[1], near)
    assert np.isnan(metric.found[0]).all()


def test_nobody_is_found(people):
    metric = KeypointErrorMetric(people, detected=True)
    metric.process({}, [sample([[1, 1], [1, 1]], [500, 500, 600, 600])])
    assert np.isnan(metric.evaluate(1)['keypoints/mean_px'])
    assert metric.reports['keypoints'][0]['mean_px'] is None
