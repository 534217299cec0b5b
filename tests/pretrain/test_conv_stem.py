# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The encoder behind a convolutional stem: the same blocks on other patches."""

import pytest
import torch

from sapiens_pretrain.models import ConvStemViT, SapiensViT


def test_blocks_grid_and_names_are_those_of_the_plain_encoder():
    plain = SapiensViT(arch='tiny', img_size=(64, 48))
    conv = ConvStemViT(arch='tiny', img_size=(64, 48))
    shapes = {name: value.shape for name, value in conv.state_dict().items()}
    for name, value in plain.state_dict().items():
        assert name == 'patch_embed.projection.weight' or shapes[name] == value.shape
    (features,) = conv(torch.rand(2, 3, 64, 48))
    assert features.shape == (2, 192, 4, 3)


def test_a_token_sees_a_little_more_than_its_patch():
    encoder = ConvStemViT(arch='tiny', img_size=(64, 48)).eval()
    image = torch.rand(1, 3, 64, 48, requires_grad=True)
    tokens, grid = encoder.patch_embed(image)
    assert grid == (4, 3)
    tokens[0, 4].abs().sum().backward()  # row 1, column 1: pixels 16 to 31 of both
    rows = image.grad[0].abs().sum((0, 2)).nonzero()[:, 0]
    # 1 pixel of the first layer, 2 and 2 x 2 of the second pair, 4 and 2 x 4 of the third reach beyond.
    assert 0 <= rows.min() < 16 and 31 < rows.max() < 48


def test_frozen_stages_take_the_stem_too():
    encoder = ConvStemViT(arch='tiny', img_size=(64, 48), frozen_stages=0)
    assert not any(p.requires_grad for p in encoder.patch_embed.parameters())
    assert all(p.requires_grad for p in encoder.layers.parameters())
    assert not any(part.training for part in encoder.train().patch_embed.stem)
    assert ConvStemViT(arch='tiny', img_size=(64, 48)).train().patch_embed.stem[1].training


def test_a_stem_that_does_not_fit_the_patches():
    with pytest.raises(ValueError, match='5 halvings do not fit a patch of 16 pixels'):
        ConvStemViT(stem_channels=(8,) * 5, arch='tiny', img_size=(64, 48))
