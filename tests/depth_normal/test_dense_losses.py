# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Losses equal plain NumPy and upstream where upstream is right, and have finite gradients everywhere."""

import numpy as np
import pytest
import torch
from mmseg.models.losses.silog_loss import silog_loss
from torch.nn.functional import normalize

from sapiens_depth_normal.models import (
    CosineLoss,
    GradientMatchingLoss,
    MaskedSiLogLoss,
    PixelL1Loss,
)

LOSSES = {
    'silog': (MaskedSiLogLoss(), 1),
    'gradient': (GradientMatchingLoss(), 1),
    'cosine': (CosineLoss(), 3),
    'l1': (PixelL1Loss(), 3),
    'gradient_linear': (GradientMatchingLoss(log=False), 3),
}


def batch(channels, seed=0):
    """Predictions, targets and masks, with targets undefined off the mask."""
    random = torch.Generator().manual_seed(seed)
    pred = torch.rand(2, channels, 16, 12, generator=random) + 0.1
    target = torch.rand(2, channels, 16, 12, generator=random) + 0.1
    if channels == 3:
        target = normalize(target - 0.6, dim=1)
    mask = torch.rand(2, 1, 16, 12, generator=random) > 0.4
    return pred, torch.where(mask, target, torch.nan), mask


def test_silog_equals_upstream():
    pred, target, mask = batch(1)
    target[0, 0, 3, 4], pred[0, 0, 5, 5] = 0, -3
    theirs = silog_loss(pred[:, 0], torch.where(mask, target, -1)[:, 0], eps=1e-6)
    torch.testing.assert_close(MaskedSiLogLoss(loss_weight=2)(pred, target, mask), 2 * theirs)


def test_normal_losses_equal_numpy():
    pred, target, mask = batch(3)
    valid = mask[:, 0].numpy()
    p = pred.permute(0, 2, 3, 1).numpy()[valid]
    t = target.permute(0, 2, 3, 1).numpy()[valid]
    cosine = (p * t).sum(1) / np.linalg.norm(p, axis=1) / np.linalg.norm(t, axis=1)
    np.testing.assert_allclose(CosineLoss()(pred, target, mask), (1 - cosine).mean(), rtol=1e-5)
    np.testing.assert_allclose(
        PixelL1Loss()(pred, target, mask), np.abs(p - t).sum(1).mean(), rtol=1e-5
    )


def test_gradient_matching_equals_numpy():
    pred, target, mask = batch(1)
    difference = torch.log(target / pred).numpy()[:, 0]
    expected = 0.0
    for step in (1, 2):
        d, m = difference[:, ::step, ::step], mask.numpy()[:, 0, ::step, ::step]
        expected += np.abs(d[:, 1:] - d[:, :-1])[m[:, 1:] & m[:, :-1]].mean()
        expected += np.abs(d[..., 1:] - d[..., :-1])[m[..., 1:] & m[..., :-1]].mean()
    found = GradientMatchingLoss(scales=2, loss_weight=1)(pred, target, mask)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # A scale of the depth is no error of its gradients.
    same = GradientMatchingLoss()(3 * target.nan_to_num(1), target, mask)
    torch.testing.assert_close(same, torch.tensor(0.0), atol=1e-5, rtol=0)


@pytest.mark.parametrize('name', LOSSES)
@pytest.mark.parametrize('case', ['perfect', 'constant', 'empty', 'zero', 'negative', 'one_empty'])
def test_gradients_are_finite(name, case):
    loss, channels = LOSSES[name]
    pred, target, mask = batch(channels)
    if case == 'perfect':
        pred = torch.where(mask, target, 0.5)
    elif case == 'constant':
        target = torch.where(mask, 0.0, torch.nan).expand_as(pred)
    elif case == 'empty':
        mask = torch.zeros_like(mask)
    elif case == 'one_empty':
        mask[0] = False
    elif case == 'zero':
        pred = torch.zeros_like(pred)
    else:
        pred = -pred
    pred = pred.detach().requires_grad_()
    value = loss(pred, target, mask)
    value.backward()
    assert value.isfinite() and pred.grad.isfinite().all()
    assert (pred.grad[~mask.expand_as(pred)] == 0).all()
    if case == 'empty' or (case == 'perfect' and name != 'gradient'):
        torch.testing.assert_close(value, torch.tensor(0.0), atol=1e-5, rtol=0)
        if case == 'empty' or name == 'silog':
            assert (pred.grad == 0).all()
