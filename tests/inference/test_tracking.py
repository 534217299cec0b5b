# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
from fractions import Fraction

import numpy as np
import pytest

from sapiens_inference.engine.tracking import BoxTracker, KeypointSmoother, OneEuro, box_iou
from sapiens_inference.items import Frame, Video


def test_iou_by_hand():
    a = np.array([[0, 0, 10, 10], [0, 0, 4, 4]], float)
    b = np.array([[5, 0, 15, 10], [20, 20, 30, 30]], float)
    np.testing.assert_allclose(box_iou(a, b), [[50 / 150, 0], [0, 0]])


def test_people_keep_their_numbers_while_they_cross_and_swap_places_in_the_list():
    tracker = BoxTracker()
    for step in range(20):
        left = [10 + 8 * step, 0, 60 + 8 * step, 100]
        right = [300 - 8 * step, 60, 350 - 8 * step, 160]
        boxes = np.array([left, right] if step % 2 else [right, left], float)
        ids = tracker.update(boxes, step / 25)
        assert ids.tolist() == ([2, 1] if step % 2 else [1, 2])


def test_a_person_comes_back_within_the_time_and_is_new_after_it():
    tracker = BoxTracker(keep_seconds=1.0)
    box = np.array([[0, 0, 10, 20]], float)
    nobody = np.zeros((0, 4))
    assert tracker.update(box, 0.0).tolist() == [1]
    assert tracker.update(nobody, 0.5).tolist() == []
    assert tracker.update(box, 0.9).tolist() == [1]
    assert tracker.update(box, 2.5).tolist() == [2]
    assert tracker.update(box + 100, 2.6).tolist() == [3]


def test_one_euro_equals_the_recurrence_written_out():
    values, times = [0.0, 0.3, 0.1, 0.9], [0.0, 0.1, 0.2, 0.35]
    cutoff, beta, derivative_cutoff = 1.5, 0.7, 1.0
    one_euro = OneEuro(cutoff, beta, derivative_cutoff)

    def weight(frequency, step):
        tau = 1 / (2 * np.pi * frequency)
        return 1 / (1 + tau / step)

    filtered, speed = values[0], 0.0
    assert one_euro(np.array(values[0]), times[0]) == filtered
    for before, now, value in zip(times, times[1:], values[1:], strict=False):
        step = now - before
        w = weight(derivative_cutoff, step)
        speed = w * (value - filtered) / step + (1 - w) * speed
        w = weight(cutoff + beta * abs(speed), step)
        filtered = w * value + (1 - w) * filtered
        assert one_euro(np.array(value), now) == pytest.approx(filtered, abs=1e-12)


def test_smoothing_removes_tremor_and_follows_motion():
    rng = np.random.default_rng(0)
    video = Video('v', None, Fraction(30))
    smoother = KeypointSmoother()
    box = np.array([[0, 0, 100, 200]], float)
    still, moving = [], []
    for number in range(90):
        noise = rng.normal(0, 1, (1, 2, 2))
        keypoints = np.array([[[50.0, 60.0], [10.0 + 3 * number, 40.0]]]) + noise
        smoother.update(np.array([1]), keypoints, box, Frame(video, number, number / 30))
        still.append(keypoints[0, 0].copy())
        moving.append(keypoints[0, 1] - [10.0 + 3 * number, 40.0])
    assert np.std(still[30:], axis=0).max() < 0.5  # half the tremor at least is gone
    assert np.abs(np.mean(moving[30:], axis=0)).max() < 4.0  # pixels of lag at 90 pixels per second


def test_points_that_were_not_found_stay_so():
    smoother = KeypointSmoother()
    video = Video('v', None, Fraction(30))
    for number in range(3):
        keypoints = np.array([[[1.0, 2.0], [np.nan, np.nan]]])
        smoother.update(
            np.array([1]), keypoints, np.array([[0, 0, 9, 9.0]]), Frame(video, number, number / 30)
        )
        assert np.isnan(keypoints[0, 1]).all() and np.isfinite(keypoints[0, 0]).all()
