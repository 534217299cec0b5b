# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Matting errors against closed forms; whole pictures and the unknown region."""

import math

import numpy as np
import pytest
import torch

from sapiens_depth_normal.evaluation import AlphaMatteMetric, MattingForegroundMetric

H, W = 40, 50


def sample(pred, truth, trimap=None, framing=None):
    matte = np.stack([0 * pred] * 3 + [pred])  # red, green, blue, alpha
    maps = {'pred_matting_map': matte, 'gt_alpha_map': truth[None]}
    found = {key: {'data': torch.from_numpy(np.float32(v))} for key, v in maps.items()}
    if trimap is not None:
        found['gt_trimap'] = {'data': torch.from_numpy(np.uint8(trimap))[None]}
    return {'img_path': 'photo.jpg', 'framing': framing, **found}


def evaluate(*samples, **kwargs):
    metric = AlphaMatteMetric(**kwargs)
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def whole(found, **expected):
    for key, value in expected.items():
        np.testing.assert_allclose(
            found[f'matting/whole_{key}'], value, rtol=1e-5, atol=1e-9, err_msg=key
        )


def test_a_constant_difference():
    truth = np.full((H, W), 0.3)
    # Up to the level 0.3 all hangs together; 0.2 above it is more than the tolerance of 0.15, 0.1 is not.
    whole(
        evaluate(sample(truth + 0.2, truth)),
        sad=0.2 * H * W / 1000, mse=0.04, mad=0.2, gradient=0, connectivity=0.2 * H * W / 1000,
    )  # fmt: skip
    whole(evaluate(sample(truth + 0.1, truth)), mad=0.1, mse=0.01, gradient=0, connectivity=0)
    whole(evaluate(sample(truth, truth)), sad=0, mse=0, mad=0, gradient=0, connectivity=0)


def test_an_island_is_not_connected():
    truth = np.zeros((H, W))
    truth[5:30, 5:25] = 1
    truth[5:15, 30:40] = 1
    pred = truth.copy()
    pred[5:15, 30:40] = 0.5
    # The island is in no largest region, so its level is 0: connected by 1 - 0.5 against 1 - 1.
    whole(evaluate(sample(pred, truth)), connectivity=0.5 * 100 / 1000, sad=0.5 * 100 / 1000)
    # Corners do not connect: the island may touch the rest by one.
    moved, half = np.zeros((H, W)), np.zeros((H, W))
    moved[5:30, 5:25] = moved[30:35, 25:30] = 1
    half[5:30, 5:25], half[30:35, 25:30] = 1, 0.5
    whole(evaluate(sample(half, moved)), connectivity=0.5 * 25 / 1000)


def test_the_gradient_of_a_ramp():
    # On a ramp of slope s a Gaussian derivative of unit energy gives 2 sqrt(2 pi) sigma^2 s.
    slope = 0.01
    ramp = np.tile(np.arange(W) * slope, (H, 1))
    trimap = np.zeros((H, W))
    trimap[10:30, 10:40] = 128  # away from the border, where the ramp ends
    found = evaluate(sample(ramp, 0 * ramp, trimap))
    expected = (2 * math.sqrt(2 * math.pi) * 1.4**2 * slope) ** 2 * 20 * 30 / 1000
    np.testing.assert_allclose(found['matting/unknown_gradient'], expected, rtol=0.05)
    across = evaluate(sample(ramp[:, :H].T, 0 * ramp[:, :H].T, trimap[:, :H]))
    np.testing.assert_allclose(across['matting/unknown_gradient'], expected, rtol=0.05)


def test_unknown_region():
    truth = np.zeros((H, W))
    truth[:, 20:] = 1
    truth[:, 18:20] = 0.5
    pred = np.clip(truth + 0.25, 0, 1)
    trimap = np.where(truth == 0.5, 128, truth * 255)
    given = evaluate(sample(pred, truth, trimap))
    np.testing.assert_allclose(given['matting/unknown_mad'], 0.25)
    np.testing.assert_allclose(given['matting/unknown_sad'], 0.25 * 2 * H / 1000)
    # Without a trimap three pixels on both sides count: 3 x 0.25 left of the edge, nothing right of it.
    made = evaluate(sample(pred, truth), radius=3)
    np.testing.assert_allclose(made['matting/unknown_mad'], 0.25 * 5 / 8)
    hard = evaluate(sample(pred > 0.6, truth > 0.6), sample(pred, truth, trimap))
    np.testing.assert_allclose(hard['matting/unknown_mad'], 0.25)  # the second one alone
    assert math.isnan(evaluate(sample(pred, truth > 0.6))['matting/unknown_mad'])


def test_trivial_prediction_and_framings():
    truth = np.zeros((H, W))
    truth[:, : W // 4] = 1
    share = (W // 4) / W
    found = evaluate(sample(truth, truth, framing='P3M-500-P'), sample(0 * truth, truth))
    np.testing.assert_allclose(
        found['matting/mean_alpha/whole_mse'], share * (1 - share), rtol=1e-5
    )
    assert found['matting/P3M-500-P/whole_mse'] == 0
    np.testing.assert_allclose(found['matting/whole_mse'], share / 2, rtol=1e-5)


def test_errors():
    truth = np.zeros((H, W))
    for pred, message in (
        (truth[:5], r'photo\.jpg: the prediction is \(5, 50\), its alpha \(40, 50\)'),
        (truth + 2, r'predicted alpha must lie in \[0, 1\], found 2\.0 to 2\.0'),
        (truth * np.nan, r'predicted alpha must lie in \[0, 1\], found nan'),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate(sample(pred, truth))
    item = sample(truth, truth)
    del item['pred_matting_map']
    with pytest.raises(ValueError, match='has no pred_matting_map'):
        evaluate(item)


def test_the_foreground_counts_where_it_is_known():
    truth = np.full((4, H, W), 0.5)
    truth[:3, :, : W // 2] = 0.1
    pred = truth.copy()
    pred[0] += 0.3
    pred[:, 0] = 1  # the first row's foreground is unknown
    truth[3, 1:] = 1
    maps = {'pred_matting_map': pred, 'gt_matting_map': truth}
    item = {key: {'data': torch.from_numpy(np.float32(v))} for key, v in maps.items()}
    metric = MattingForegroundMetric()
    metric.process({}, [item])
    found = metric.evaluate(1)
    np.testing.assert_allclose(found['matting/l1_foreground'], 0.1, rtol=1e-5)
    # Half the pixels are 0.1 and half 0.5: both are 0.2 from their mean.
    np.testing.assert_allclose(found['matting/mean_foreground/l1_foreground'], 0.2, rtol=1e-5)
    del item['gt_matting_map']
    with pytest.raises(ValueError, match='has no gt_matting_map'):
        metric.process({}, [item])
