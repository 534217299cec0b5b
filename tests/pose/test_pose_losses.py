# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import pytest
import torch
from mmpose.models.losses import KeypointMSELoss
from mmpose.models.losses import KeypointOHKMMSELoss as MMPoseOHKM

from sapiens_pose.models import HardKeypointMSELoss, PeakedMSELoss


@pytest.mark.parametrize('use_target_weight', [False, True])
def test_ohkm_equals_upstream(use_target_weight):
    generator = torch.Generator().manual_seed(0)
    output, target = torch.rand(2, 3, 20, 8, 6, generator=generator)
    weights = torch.rand(3, 20, generator=generator)
    output.requires_grad_(True)
    losses = [
        cls(topk=7, use_target_weight=use_target_weight, loss_weight=2.0)(output, target, weights)
        for cls in (HardKeypointMSELoss, MMPoseOHKM)
    ]
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*[torch.autograd.grad(loss, output)[0] for loss in losses])


def test_golden_losses(golden):
    reference = golden('pose_losses')
    output, target, weights = (
        torch.from_numpy(reference[key]).float() for key in ('output', 'target', 'target_weights')
    )
    mse = KeypointMSELoss(use_target_weight=True)(output, target, weights)
    ohkm = HardKeypointMSELoss(topk=128, use_target_weight=True)(output, target, weights)
    torch.testing.assert_close(mse, torch.tensor(reference['mse']), rtol=1e-5, atol=0)
    torch.testing.assert_close(ohkm, torch.tensor(reference['ohkm128']), rtol=1e-5, atol=0)


def test_more_keypoints_asked_than_there_are():
    maps = torch.zeros(1, 17, 4, 3)
    with pytest.raises(ValueError, match='topk 128 exceeds the 17 keypoints'):
        HardKeypointMSELoss(topk=128)(maps, maps, torch.ones(1, 17))
    with pytest.raises(ValueError, match='topk must be positive, got 0'):
        HardKeypointMSELoss(topk=0)


def gaussians(places, size=(16, 12), sigma=1.5):
    """Heatmaps (1, K, H, W) with peaks at (x, y)."""
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in size), indexing='ij')
    maps = [torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)) for x, y in places]
    return torch.stack(maps)[None]


def test_peaked_mse_is_mse_and_divergence():
    target = gaussians([(3, 5), (9, 12)])
    output = 0.3 * gaussians([(4, 4), (8, 12)]).requires_grad_(True)
    weights = torch.tensor([[1.0, 2.0]])
    mse = KeypointMSELoss(use_target_weight=True)(output, target, weights)
    torch.testing.assert_close(PeakedMSELoss(peak_weight=0)(output, target, weights), mse)
    # The divergence by hand, with torch.distributions.
    expected = 0
    for i in range(2):
        wanted = torch.distributions.Categorical(target[0, i].flatten())
        found = torch.distributions.Categorical(logits=10 * output[0, i].flatten())
        divergence = torch.distributions.kl_divergence(wanted, found)
        expected = expected + divergence * weights[0, i] / 3
    loss = PeakedMSELoss(mse_weight=0)(output, target, weights)
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
    first = PeakedMSELoss(mse_weight=0, first=1)(output, target, weights)
    alone = PeakedMSELoss(mse_weight=0)(output[:, :1], target[:, :1], weights[:, :1])
    torch.testing.assert_close(first, alone)


def test_peaked_mse_without_labels_is_zero_and_pulls_from_an_empty_map():
    target = gaussians([(3, 5)])
    output = torch.zeros_like(target, requires_grad=True)
    loss = PeakedMSELoss()(output, target, torch.zeros(1, 1))
    assert loss == 0
    mse = torch.autograd.grad(PeakedMSELoss(peak_weight=0)(output, target, torch.ones(1, 1)), output)[0]  # fmt: skip
    both = torch.autograd.grad(PeakedMSELoss()(output, target, torch.ones(1, 1)), output)[0]
    assert both[0, 0, 5, 3] < 10 * mse[0, 0, 5, 3] < 0  # up at the peak, and much stronger
    assert both[0, 0, 15, 11] > 0  # down where it should be empty
    nowhere = PeakedMSELoss()(output, torch.zeros_like(target), torch.ones(1, 1))
    assert nowhere == 0  # a point outside of the map has no place to be pulled to
