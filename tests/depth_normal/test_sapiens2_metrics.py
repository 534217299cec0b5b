# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2's metrics equal the reference's numbers; their honest forms equal plain NumPy."""

import numpy as np
import pytest
import torch

from sapiens_depth_normal.evaluation import (
    HumanAlbedoMetric,
    HumanNormalMetric,
    HumanPointmapMetric,
)
from sapiens_depth_normal.evaluation.pointmap_metric import point_errors
from sapiens_depth_normal.geometry import depth_to_points
from sapiens_depth_normal.models import DenseHead

THRESHOLDS = ('5', '11.25', '22.5', '30')


def expected_of(data, case):
    """The reference's figures of a case."""
    prefix = f'{case["name"]}/'
    return {
        key.removeprefix(prefix): float(value)
        for key, value in data.items()
        if key.startswith(prefix)
    }


def images_of(data, case, target):
    """Prediction, truth and mask of each image that has a mask."""
    for batch in case['batches']:
        names = batch['pred'], batch['data_samples'][f'gt_{target}'], batch['data_samples']['mask']
        for pred, truth, mask in zip(*(data[name] for name in names), strict=True):
            if mask.any():
                yield pred, truth, mask


def evaluate(metric, samples):
    """Figures without the metric's prefix."""
    metric.process({}, samples)
    found = metric.evaluate(len(samples))
    return {key.split('/', 1)[1]: value for key, value in found.items()}


def pack(**fields):
    """A sample as metrics get it."""
    return {
        key: {'data': torch.from_numpy(np.ascontiguousarray(value))}
        if isinstance(value, np.ndarray) and value.ndim == 3
        else value
        for key, value in fields.items()
    }


def test_golden_normals(golden):
    data = golden('sapiens2/metrics_normal')
    head = DenseHead('normal', 4, (4,), (), dict(type='sapiens_depth_normal.PixelL1Loss'))
    for case in data['meta']['cases']:
        samples = []
        for pred, truth, mask in images_of(data, case, 'normal'):
            restored = head.restore(torch.from_numpy(pred), truth.shape[1:], (0, 0, 0, 0)).numpy()
            samples.append(pack(pred_normal_map=restored, gt_normal_map=truth, gt_mask=mask))
        found = evaluate(HumanNormalMetric(bin_width=0.5), samples)
        renamed = {
            'normal_mae': found['mean'],
            'normal_rmse': found['rmse'],
            'normal_median_deg': found['median'],
            'within_5_0_deg': 100 * found['within_5'],
            'within_11_25_deg': 100 * found['within_11.25'],
            'within_22_5_deg': 100 * found['within_22.5'],
            'within_30_0_deg': 100 * found['within_30'],
        }
        assert renamed == pytest.approx(expected_of(data, case), abs=1e-4)


def test_golden_albedo(golden):
    data = golden('sapiens2/metrics_albedo')
    for case in data['meta']['cases']:
        samples = [
            pack(pred_albedo_map=pred, gt_albedo_map=truth, gt_mask=mask)
            for pred, truth, mask in images_of(data, case, 'albedo')
        ]
        maximum = 255 if case['name'] == 'range255' else 1
        found = evaluate(HumanAlbedoMetric(maximum), samples)
        found = {name: found[name] for name in ('mae', 'rmse', 'psnr', 'ssim', 'grad_l1')}
        assert found == pytest.approx(expected_of(data, case), rel=1e-6, abs=1e-4)


def test_golden_pointmaps(golden):
    data = golden('sapiens2/metrics_pointmap')
    (case,) = data['meta']['cases']
    metric = HumanPointmapMetric()
    found = metric.summarize(
        [
            point_errors(pred.transpose(1, 2, 0), truth.transpose(1, 2, 0), mask[0], whole=True)
            for pred, truth, mask in images_of(data, case, 'pointmap')
        ]
    )
    names = {f'within_0.{cm}': f'within_{cm}_cm' for cm in ('05', '10', '20')} | {
        'within_5_deg': 'within_5_0_deg',
        'within_11.25_deg': 'within_11_25_deg',
        'within_22.5_deg': 'within_22_5_deg',
        'within_30_deg': 'within_30_0_deg',
    }
    found = {names.get(name, name): value for name, value in found.items()}
    assert found == pytest.approx(expected_of(data, case), abs=1e-4)


SIZE = (24, 18)
CAMERA = [[20.0, 0, 8.5], [0, 21.0, 11.5], [0, 0, 1]]


def person(seed=0, factor=1.0, noise=0.0, **fields):
    """One image: a curved surface about 2 m away, and a prediction of it."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices(SIZE)
    depth = 2 + 0.02 * (rows - 12) + 0.003 * (columns - 8) ** 2
    mask = np.hypot(rows - 12, columns - 9) < 8
    depth = np.where(mask, depth, 0).astype(np.float32)
    points = depth_to_points(depth, np.array(CAMERA)) * np.array([1, -1, -1], np.float32)
    points = factor * points + random.normal(size=points.shape) * noise
    sample = pack(
        gt_mask=mask[None].astype(np.uint8),
        gt_depth_map=depth[None],
        pred_point_map=points.astype(np.float32).transpose(2, 0, 1),
        intrinsics=CAMERA,
        input_intrinsics=[[40.0, 0, 17.5], [0, 42.0, 23.5], [0, 0, 1]],
        pred_scale=768 / 40,
        img_path=f'{seed}.png',
    )
    return sample | fields


def test_a_perfect_pointmap():
    found = evaluate(HumanPointmapMetric(), [person()])
    for protocol in ('metric', 'scaled', 'canonical'):
        assert found[f'{protocol}_rmse'] < 1e-5
        assert found[f'{protocol}_within_0.05'] == 1
    # Off the person a prediction of emptiness is not judged, but reference normals look there.
    assert found['metric_normal_mae'] < 0.01


def test_pointmap_protocols():
    found = evaluate(HumanPointmapMetric(), [person(factor=1.1, noise=0.02)])
    item = person(factor=1.1, noise=0.02)
    mask = item['gt_mask']['data'][0].numpy() > 0
    pred = item['pred_point_map']['data'].numpy()[:, mask]
    truth = person()['pred_point_map']['data'].numpy()[:, mask]
    distance = np.linalg.norm(pred - truth, axis=0)
    np.testing.assert_allclose(found['metric_l2_mean'], distance.mean(), rtol=1e-5)
    np.testing.assert_allclose(found['metric_within_0.20'], (distance < 0.2).mean())
    np.testing.assert_allclose(found['metric_z_mae'], np.abs(pred - truth)[2].mean(), rtol=1e-5)
    np.testing.assert_allclose(found['canonical_l2_mean'], 768 / 40 * distance.mean(), rtol=1e-5)
    scaled = pred * np.median(truth[2]) / np.median(pred[2])
    distance = np.linalg.norm(scaled - truth, axis=0)
    np.testing.assert_allclose(found['scaled_l2_mean'], distance.mean(), rtol=1e-5)
    plane = truth / truth[2] * truth[2].mean()
    distance = np.linalg.norm(plane - truth, axis=0)
    np.testing.assert_allclose(found['plane/metric_l2_mean'], distance.mean(), rtol=1e-5)


def test_a_plane_that_knows_neither_distance_nor_camera():
    """It is judged as a model that says the same for every image."""
    item = person(pred_scale=24.0)
    rows, columns = np.indices(SIZE)
    focal = np.array([20.0, 21.0]) * 32 / 40  # a scale of 24 is 32 pixels where 40 are true
    rays = [(columns - 8.5) / focal[0], (rows - 11.5) / focal[1], np.ones(SIZE)]
    item['pred_point_map'] = pack(p=1.8 * np.float32(rays))['p']
    found = evaluate(HumanPointmapMetric(usual=(1.8, 24.0)), [item])
    for protocol in ('metric', 'scaled', 'canonical'):
        for key in ('l2_mean', 'x_mae', 'z_mae', 'normal_mae'):
            key = f'{protocol}_{key}'
            assert found[key] == pytest.approx(found[f'plane/{key}'], rel=1e-5), key
    assert found['metric_l2_mean'] > 0.2


def test_sets_are_pooled_by_pixels():
    samples = [person(0, 1.1), person(1, 1.3)]
    samples[1]['gt_mask']['data'][:, :12] = 0
    alone = [evaluate(HumanPointmapMetric(), [sample])['metric_l2_mean'] for sample in samples]
    weights = [int(sample['gt_mask']['data'].sum()) for sample in samples]
    both = evaluate(HumanPointmapMetric(), samples)['metric_l2_mean']
    np.testing.assert_allclose(both, np.average(alone, weights=weights))


def test_albedo_equals_numpy():
    random = np.random.default_rng(0)
    mask = random.random((1, *SIZE)) > 0.3
    truth = random.random((3, *SIZE)).astype(np.float32)
    pred = truth + np.float32(0.1)
    sample = pack(pred_albedo_map=pred, gt_albedo_map=truth, gt_mask=mask)
    found = evaluate(HumanAlbedoMetric(), [sample])
    assert found['mae'] == pytest.approx(0.1, abs=1e-6)
    assert found['psnr'] == pytest.approx(20, abs=1e-4)
    assert found['grad_l1'] < 1e-6
    values = truth[:, mask[0]]
    spread = np.abs(values - values.mean(1, keepdims=True)).mean()
    assert found['mean_colour/mae'] == pytest.approx(spread, abs=1e-5)
    sample['pred_albedo_map'] = sample['gt_albedo_map']
    perfect = evaluate(HumanAlbedoMetric(), [sample])
    assert perfect['ssim'] == pytest.approx(1) and perfect['psnr'] == np.inf


def test_errors():
    item = person(3)
    item['pred_point_map']['data'][0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r'3\.png: pred or truth is not finite on the mask'):
        HumanPointmapMetric().process({}, [item])
    item = person(4)
    del item['intrinsics']
    with pytest.raises(ValueError, match=r'4\.png has no intrinsics; read the set with targets=\['):
        HumanPointmapMetric().process({}, [item])
    sample = pack(
        pred_albedo_map=np.full((3, *SIZE), np.nan),
        gt_albedo_map=np.zeros((3, *SIZE)),
        gt_mask=np.ones((1, *SIZE)),
        img_path='5.png',
    )
    with pytest.raises(ValueError, match=r'5\.png: pred or truth is not finite on the mask'):
        HumanAlbedoMetric().process({}, [sample])
