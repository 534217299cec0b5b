# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Metrics equal upstream's and plain NumPy; tables per framing carry the trivial prediction."""

import numpy as np
import pytest
import torch
from mmseg.evaluation import DepthMetric

from sapiens_depth_normal.evaluation import HumanDepthMetric, HumanNormalMetric
from sapiens_depth_normal.evaluation.normal_metric import angles_between

SIZE = (20, 15)


def sample(seed, framing=None, **fields):
    random = np.random.default_rng(seed)
    mask = random.random(SIZE) > 0.5
    truth = np.where(mask, random.uniform(2, 4, SIZE), 0)
    normal = random.normal(size=(3, *SIZE)) + np.array([0, 0, 2])[:, None, None]
    normal /= np.linalg.norm(normal, axis=0)
    maps = dict(
        gt_mask=mask[None].astype(np.uint8),
        gt_depth_map=truth[None],
        pred_depth_map=(truth / 5 - 0.3 + random.normal(size=SIZE) * 0.05)[None],
        gt_normal_map=normal,
        pred_normal_map=normal + random.normal(size=(3, *SIZE)) * 0.2,
        **fields,
    )
    found = {key: {'data': torch.from_numpy(np.float32(value))} for key, value in maps.items()}
    return {'img_path': f'{seed}.png', 'framing': framing, **found}


def evaluate(metric, samples):
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_unaligned_equals_upstream():
    samples = [sample(seed) for seed in range(3)]
    for item in samples:
        item['pred_depth_map']['data'] = item['gt_depth_map']['data'] * 1.1 + 0.1
    ours = evaluate(HumanDepthMetric(relative=False), samples)
    theirs = evaluate(DepthMetric(min_depth_eval=1e-3), samples)
    for key, other in (('rmse', 'rmse'), ('abs_rel', 'abs_rel'), ('delta1', 'd1')):
        np.testing.assert_allclose(ours[f'depth/unaligned_{key}'], theirs[other], rtol=1e-5)


def test_alignment_and_baseline():
    item = sample(0)
    found = evaluate(HumanDepthMetric(), [item])
    mask = item['gt_mask']['data'][0].numpy() > 0
    truth = item['gt_depth_map']['data'][0].numpy()[mask]
    pred = item['pred_depth_map']['data'][0].numpy()[mask]
    aligned = np.polyval(np.polyfit(pred, truth, 1), pred)
    np.testing.assert_allclose(
        found['depth/aligned_rmse'], np.sqrt(((aligned - truth) ** 2).mean()), rtol=1e-4
    )
    np.testing.assert_allclose(found['depth/mean_depth/aligned_rmse'], truth.std(), rtol=1e-4)
    assert found['depth/aligned_rmse'] < 0.5 * found['depth/mean_depth/aligned_rmse']
    ratio = np.maximum(aligned / truth, truth / aligned)
    np.testing.assert_allclose(found['depth/aligned_delta1'], (ratio < 1.25).mean(), rtol=1e-4)


def test_perfect_relative_depth():
    item = sample(0)
    mask = item['gt_mask']['data'] > 0
    truth = item['gt_depth_map']['data']
    low, high = truth[mask].min(), truth[mask].max()
    item['pred_depth_map']['data'] = (truth - low) / (high - low)
    found = evaluate(HumanDepthMetric(), [item])
    for protocol in ('aligned', 'unaligned'):
        assert found[f'depth/{protocol}_rmse'] < 1e-5
        assert found[f'depth/{protocol}_delta3'] == 1
    item['pred_depth_map']['data'] = 1 / truth.clamp(min=1)
    assert evaluate(HumanDepthMetric(), [item])['depth/inverse_rmse'] < 1e-5


def test_predictions_behind_the_camera_are_wrong():
    item = sample(0)
    item['pred_depth_map']['data'] = -item['gt_depth_map']['data']
    found = evaluate(HumanDepthMetric(relative=False), [item])
    assert found['depth/unaligned_delta3'] == 0


def test_normals_equal_numpy():
    samples = [sample(seed) for seed in range(3)]
    found = evaluate(HumanNormalMetric(), samples)
    angles, facing = [], []
    for item in samples:
        mask = item['gt_mask']['data'][0].numpy() > 0
        truth = item['gt_normal_map']['data'].numpy()[:, mask]
        pred = item['pred_normal_map']['data'].numpy()[:, mask]
        pred = pred / np.linalg.norm(pred, axis=0)
        angles.append(np.degrees(np.arccos((pred * truth).sum(0).clip(-1, 1))))
        facing.append(np.degrees(np.arccos(truth[2])))
    angles, facing = np.concatenate(angles), np.concatenate(facing)
    np.testing.assert_allclose(found['normal/mean'], angles.mean(), rtol=1e-4)
    np.testing.assert_allclose(found['normal/median'], np.median(angles), atol=0.15)
    np.testing.assert_allclose(found['normal/camera_facing/mean'], facing.mean(), rtol=1e-4)
    for limit in ('5', '7.5', '11.25', '22.5', '30'):
        share = (angles < float(limit)).mean()
        np.testing.assert_allclose(found[f'normal/within_{limit}'], share, atol=1e-6)


def test_angles_near_the_ends():
    first = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [2.0, 0, 0]])
    second = np.array([[1, 0, 0], [-1, 0, 0], [1, 1e-6, 0], [0, 3.0, 0]])
    expected = [0, 180, np.degrees(1e-6), 90]
    np.testing.assert_allclose(angles_between(first, second), expected, rtol=1e-9)


def test_a_prediction_of_zero_is_not_perfect():
    item = sample(0)
    item['pred_normal_map']['data'] *= 0
    found = evaluate(HumanNormalMetric(), [item])
    assert found['normal/mean'] == 90 and found['normal/within_30'] == 0


def test_tables_per_framing(monkeypatch):
    messages = []
    monkeypatch.setattr('mmengine.logging.MMLogger.info', lambda self, text: messages.append(text))
    samples = [sample(0, 'face'), sample(1, 'full_body'), sample(2, 'face'), sample(3)]
    found = evaluate(HumanDepthMetric(unit='mm'), samples)
    face = evaluate(HumanDepthMetric(), [samples[0], samples[2]])
    assert found['depth/face/aligned_rmse'] == pytest.approx(face['depth/aligned_rmse'])
    assert 'depth/full_body/inverse_delta1' in found
    table = messages[0].split('\n')
    assert table[0] == 'Depth, scale and shift fitted per image'
    assert 'RMSE [mm] ↓' in messages[0] and 'd < 1.25^3 ↑' in messages[0]
    rows = [[cell.strip() for cell in line.split('|')[1:4]] for line in table[4:-1]]
    assert rows == [
        [group, str(count), row]
        for group, count in (('all', 4), ('face', 2), ('full_body', 1))
        for row in ('model', 'mean depth')
    ]


@pytest.mark.parametrize('metric', [HumanDepthMetric(), HumanNormalMetric()])
def test_errors(metric):
    name = f'pred_{metric.default_prefix}_map'
    item = sample(5)
    item['gt_mask']['data'] = item['gt_mask']['data'] * 0
    with pytest.raises(ValueError, match=r'5\.png: the mask is empty'):
        metric.process({}, [item])
    item['gt_mask']['data'] = torch.ones(1, 3, 3)
    with pytest.raises(
        ValueError, match=r'5\.png: the prediction is \(20, 15\), its mask \(3, 3\)'
    ):
        metric.process({}, [item])
    item.pop(name)
    with pytest.raises(ValueError, match=rf'5\.png has no {name}'):
        metric.process({}, [item])


def test_a_prediction_that_is_not_finite_is_named():
    item = sample(7)
    item['pred_depth_map']['data'] *= torch.nan
    item['pred_normal_map']['data'][:, 3] = torch.inf
    with pytest.raises(ValueError, match=r'7\.png: pred or reference is not finite on the mask'):
        HumanDepthMetric().process({}, [item])
    with pytest.raises(ValueError, match=r'7\.png: pred or truth is not finite on the mask'):
        HumanNormalMetric().process({}, [item])


def test_depth_must_be_in_its_unit():
    item = sample(6)
    item['gt_depth_map']['data'] -= 3
    with pytest.raises(ValueError, match=r'6\.png: true depth must be positive on the person'):
        HumanDepthMetric().process({}, [item])
