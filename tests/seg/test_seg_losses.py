# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Weighted cross-entropy in both averages, against torch."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.losses import CrossEntropyLoss

from sapiens_seg.models import WeightedCrossEntropy
from sapiens_seg.vocabularies import VOCABULARIES


@pytest.fixture
def batch():
    """Logits (2, 28, 9, 7) and labels with ignored pixels."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 28, 9, 7, generator=generator, requires_grad=True)
    labels = torch.randint(0, 28, (2, 9, 7), generator=generator)
    labels[:, :3] = 255
    return logits, labels


WEIGHTS = torch.tensor(VOCABULARIES['goliath'].weights)


def test_properly_normalised_is_torchs_weighted_mean(batch):
    loss = WeightedCrossEntropy('goliath')(*batch, ignore_index=255)
    torch.testing.assert_close(loss, F.cross_entropy(*batch, WEIGHTS, ignore_index=255))


def test_published_is_the_mean_over_all_pixels(batch):
    loss = WeightedCrossEntropy('goliath', average='pixels')(*batch, ignore_index=255)
    assert loss.shape == batch[1].shape
    upstream = CrossEntropyLoss(reduction='none', class_weight=WEIGHTS.tolist())
    assert torch.equal(loss, upstream(*batch, ignore_index=255))
    assert (loss[:, :3] == 0).all()


def test_without_weights(batch):
    loss = WeightedCrossEntropy({'classes': [f'c{i}' for i in range(28)]})(*batch)
    torch.testing.assert_close(loss, F.cross_entropy(*batch, ignore_index=255))


def test_nothing_labelled_is_no_loss_and_no_gradient(batch):
    logits, labels = batch
    loss = WeightedCrossEntropy('goliath')(logits, torch.full_like(labels, 255))
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


def test_pixel_weights_and_loss_weight(batch):
    logits, labels = batch
    pixels = torch.rand(labels.shape, generator=torch.Generator().manual_seed(1))
    loss = WeightedCrossEntropy('goliath', average='pixels', loss_weight=2)(logits, labels, pixels)
    plain = WeightedCrossEntropy('goliath', average='pixels')(logits, labels)
    torch.testing.assert_close(loss, 2 * pixels * plain)


def test_unknown_average():
    with pytest.raises(ValueError, match="average 'mean' is not one of"):
        WeightedCrossEntropy('goliath', average='mean')


def test_given_weights_replace_the_vocabularys(batch):
    weights = torch.linspace(0.1, 10, 28)
    loss = WeightedCrossEntropy('goliath', weights=weights.tolist())(*batch)
    torch.testing.assert_close(loss, F.cross_entropy(*batch, weights, ignore_index=255))
    with pytest.raises(ValueError, match='2 weights for the 28 classes of vocabulary goliath'):
        WeightedCrossEntropy('goliath', weights=[1, 2])
