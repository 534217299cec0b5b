# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The table per class, worked out by hand; the returned figures are upstream's."""

import pytest
import torch
from mmseg.evaluation import IoUMetric

from sapiens_seg.evaluation import ClassIoUMetric


def test_the_table_stays():
    truth = torch.tensor([[0, 0, 0, 0], [1, 1, 1, 255]])
    found = torch.tensor([[0, 0, 0, 1], [1, 1, 0, 1]])
    batch = [{'pred_sem_seg': {'data': found[None]}, 'gt_sem_seg': {'data': truth[None]}}]
    results = []
    for metric in (ClassIoUMetric(iou_metrics=['mIoU']), IoUMetric(iou_metrics=['mIoU'])):
        metric.dataset_meta = {'classes': ('background', 'hand', 'tail')}
        metric.process({}, batch)
        results.append(metric.evaluate(1))
        if isinstance(metric, ClassIoUMetric):
            background, hand, tail = metric.reports['classes']
    assert results[0] == results[1]
    assert background == {'class': 'background', 'pixels': 4, 'predicted_pixels': 4} | {
        'IoU': 60.0,
        'Acc': 75.0,
    }
    assert (hand['IoU'], hand['Acc']) == (50.0, pytest.approx(66.67))
    assert (tail['pixels'], tail['IoU'], tail['Acc']) == (0, None, None)
