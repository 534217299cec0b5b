# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A position table of any grid, with or without class token, fits any encoder, or says why not."""

import numpy as np
import pytest
import torch

from sapiens_pretrain.models.pos_embed import infer_grid, resize_pos_embed
from sapiens_pretrain.models.vit import SapiensViT

ARCH = dict(embed_dims=64, num_layers=1, num_heads=4, feedforward_channels=64)


def test_equals_reference(golden):
    data = golden('pos_embed_resize')
    model = SapiensViT(arch=ARCH, img_size=(64, 48))
    model.load_state_dict({**model.state_dict(), 'pos_embed': torch.from_numpy(data['source'])})
    np.testing.assert_allclose(
        model.pos_embed.detach().numpy(), data['resized'], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ('length', 'target', 'found'),
    [
        (4097, (64, 48), ((64, 64), 1)),  # MAE checkpoint into a task
        (4096, (64, 48), ((64, 64), 0)),
        (3072, (64, 48), ((64, 48), 0)),
        (3073, (64, 48), ((64, 48), 1)),
        (3072, (14, 14), ((64, 48), 0)),  # task checkpoint at another size: 4:3
        (3072, (28, 14), ((64, 48), 0)),
        (49, (64, 48), ((7, 7), 0)),  # an odd square is no class token
        (50, (64, 48), ((7, 7), 1)),
        (98, (28, 14), ((14, 7), 0)),  # the target's own ratio
        (7, (64, 48), None),
    ],
)
def test_infer_grid(length, target, found):
    assert infer_grid(length, target) == found


@pytest.mark.parametrize('token', [False, True])
@pytest.mark.parametrize('source', [(64, 64), (64, 48), (48, 64)])
def test_every_source_fits_every_target(source, token):
    theirs = SapiensViT(arch=ARCH, img_size=source, with_cls_token=token)
    theirs.init_weights()
    grid = (source[0] // 16, source[1] // 16)
    ours = SapiensViT(arch=ARCH, img_size=(96, 32), pretrained_grid=grid)
    ours.load_state_dict(theirs.state_dict())
    expected = resize_pos_embed(theirs.pos_embed[:, int(token) :], grid, (6, 2))
    torch.testing.assert_close(ours.pos_embed, expected)


def test_class_token_is_kept_where_the_model_has_one():
    theirs = SapiensViT(arch=ARCH, img_size=(64, 64), with_cls_token=True)
    theirs.init_weights()
    ours = SapiensViT(arch=ARCH, img_size=(64, 48), with_cls_token=True)
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours.pos_embed[:, 0], theirs.pos_embed[:, 0])
    assert torch.equal(ours.cls_token, theirs.cls_token)


@pytest.mark.parametrize(
    ('settings', 'table', 'message'),
    [
        ({}, (1, 16, 32), 'the checkpoint is of another size'),
        ({}, (1, 7, 64), 'not a grid that can be inferred'),
        (dict(pretrained_grid=(5, 5)), (1, 16, 64), 'not a grid that can be inferred'),
        (dict(with_cls_token=True), (1, 16, 64), 'use with_cls_token=False'),
    ],
)
def test_errors(settings, table, message):
    model = SapiensViT(arch=ARCH, img_size=(64, 48), **settings)
    state_dict = {**model.state_dict(), 'pos_embed': torch.zeros(table)}
    state_dict.pop('cls_token', None)
    with pytest.raises(ValueError, match=message):
        model.load_state_dict(state_dict)
