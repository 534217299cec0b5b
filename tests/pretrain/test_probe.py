# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The probe learns what features tell, and counts as it says."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from sapiens_pretrain.models.vit import SapiensViT
from sapiens_pretrain.probe import PatchData, confusion, load_patches, probe, score


@pytest.fixture
def folder(tmp_path):
    """Images of colour blocks whose label is the colour."""
    random = np.random.default_rng(0)
    colors = random.integers(0, 256, (4, 3), dtype=np.uint8)
    for name in ('images', 'segmentations'):
        (tmp_path / name).mkdir()
    for index in range(20):
        ids = random.integers(0, 4, (4, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
        cv2.imwrite(str(tmp_path / 'images' / f'{index:02d}.png'), colors[ids])
        if index == 0:
            ids[:16, :16] = 255
        cv2.imwrite(str(tmp_path / 'segmentations' / f'{index:02d}.png'), ids)
    return tmp_path


def test_patch_labels(folder):
    data = load_patches(folder, (64, 48))
    assert data.images.shape == (20, 3, 64, 48) and data.labels.shape == (20, 4, 3)
    assert data.labels[0, 0, 0] == 255 and data.labels.flatten()[1:].max() == 3
    with pytest.raises(ValueError, match=r'size \(60, 48\) is not a multiple of the patch side 16'):
        load_patches(folder, (60, 48))
    cv2.imwrite(str(folder / 'segmentations' / '04.png'), np.zeros((64, 40), np.uint8))
    with pytest.raises(ValueError, match=r'04.png is \(64, 40\), its image .*04.png is \(64, 48\)'):
        load_patches(folder, (64, 48))
    (folder / 'segmentations' / '03.png').unlink()
    with pytest.raises(ValueError, match='03.png does not exist'):
        load_patches(folder, (64, 48))


def test_labels_with_a_palette_are_numbers(folder):
    # As the segmentation task writes them.
    expected = load_patches(folder, (64, 48)).labels
    for path in (folder / 'segmentations').iterdir():
        picture = Image.open(path).convert('P')
        picture.putpalette([value for number in range(256) for value in (number, 9, 255 - number)])
        picture.save(path)
    assert torch.equal(load_patches(folder, (64, 48)).labels, expected)


@pytest.mark.parametrize('encoder_lr', [None, 1e-2])
def test_learns_colours(folder, encoder_lr):
    torch.manual_seed(0)
    train, val = load_patches(folder, (64, 48)).split(0.25)
    assert len(train.images) == 15 and len(val.images) == 5
    arch = dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=16)
    encoder = SapiensViT(arch=arch, img_size=(64, 48))
    encoder.init_weights()
    before = encoder.patch_embed.projection.weight.clone()
    found = probe(encoder, train, val, 60, batch_size=8, lr=2e-2, encoder_lr=encoder_lr)
    assert found.accuracy > 0.95 and found.mean_iou > 0.9
    assert torch.equal(before, encoder.patch_embed.projection.weight) == (encoder_lr is None)


def test_scores_by_hand():
    labels = torch.tensor([0, 0, 1, 1, 2, 255])
    predicted = torch.tensor([0, 1, 1, 0, 2, 1])
    found = score(confusion(predicted, labels))
    assert found.accuracy == pytest.approx(2 / 3)  # of the patches that show a person
    assert found.mean_iou == pytest.approx((1 / 3 + 1 / 3 + 1) / 3)


def test_split_keeps_order():
    data = PatchData(torch.arange(10.0), torch.arange(10))
    train, val = data.split(0.3)
    assert train.labels.tolist() == list(range(7)) and val.labels.tolist() == [7, 8, 9]
