# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import pytest
import torch
from mmpose.models.losses import KeypointMSELoss
from mmpose.models.losses import KeypointOHKMMSELoss as MMPoseOHKM

from sapiens_pose.models import HardKeypointMSELoss


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
