# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Layer decay scales each depth as the reference does, in any model, and reads nothing silently."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from sapiens_pretrain.models.vit import SapiensViT


def _config(**paramwise):
    return dict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.1),
        constructor='sapiens_train.LayerwiseDecayConstructor',
        paramwise_cfg=paramwise,
    )


class Model(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        self.backbone = SapiensViT(arch='tiny', img_size=(64, 48), **settings)
        self.head = nn.Conv2d(192, 3, 1)


def _groups(model, rate=0.5):
    wrapper = build_optim_wrapper(model, _config(layer_decay_rate=rate))
    return {
        name: group for group in wrapper.optimizer.param_groups for name in group['param_names']
    }


@pytest.mark.parametrize(
    ('name', 'depth', 'decays'),
    [
        ('backbone.cls_token', 0, True),  # three dimensions and no bias: the reference decays it
        ('backbone.pos_embed', 0, False),
        ('backbone.patch_embed.projection.weight', 0, True),
        ('backbone.patch_embed.projection.bias', 0, False),
        ('backbone.layers.0.attn.qkv.weight', 1, True),
        ('backbone.layers.5.ln2.weight', 6, False),
        ('backbone.ln1.weight', 7, False),
        ('head.weight', 7, True),
        ('head.bias', 7, False),
    ],
)
def test_groups(name, depth, decays):
    group = _groups(Model(with_cls_token=True))[name]
    scale = 0.5 ** (7 - depth)
    assert group['lr'] == pytest.approx(1e-3 * scale)
    assert group['lr_scale'] == pytest.approx(scale)
    assert group['weight_decay'] == (0.1 if decays else 0.0)
    assert group['group_name'] == f'layer_{depth}_{"decay" if decays else "no_decay"}'


def test_every_trainable_parameter_is_in_one_group():
    model = Model(frozen_stages=2)
    wrapper = build_optim_wrapper(model, _config(layer_decay_rate=0.85))
    grouped = [p for group in wrapper.optimizer.param_groups for p in group['params']]
    assert len(grouped) == len({id(p) for p in grouped})
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters() if p.requires_grad}


def test_stem_scale_of_the_published_recipes():
    # With rate 0.85 the stem of 0.3b learns at 0.017 of the base rate.
    with torch.device('meta'):
        model = Model()
        model.backbone = SapiensViT(arch='0.3b')
    assert _groups(model, 0.85)['backbone.pos_embed']['lr_scale'] == pytest.approx(0.017, abs=5e-4)


def test_wrapped_names(tmp_path):
    compiled = torch.compile(Model())
    assert 'backbone.layers.5.ln2.weight' in _groups(compiled)


@pytest.mark.parametrize(
    ('paramwise', 'message'),
    [
        ({}, "takes 'layer_decay_rate' and nothing else"),
        (dict(layer_decay_rate=0.9, custom_keys={}), 'nothing else'),
    ],
)
def test_unread_keys_are_errors(paramwise, message):
    with pytest.raises(ValueError, match=message):
        build_optim_wrapper(Model(), _config(**paramwise))


@pytest.mark.parametrize(('kind', 'default'), [('SGD', 0.0), ('AdamW', 0.01)])
def test_optimizer_without_weight_decay(kind, default):
    config = {**_config(layer_decay_rate=0.5), 'optimizer': dict(type=kind, lr=1e-3)}
    wrapper = build_optim_wrapper(Model(), config)
    for group in wrapper.optimizer.param_groups:
        decays = group['group_name'].endswith('_decay') and 'no_decay' not in group['group_name']
        assert group['weight_decay'] == (default if decays else 0)


def test_optimizer_without_learning_rate():
    config = {**_config(layer_decay_rate=0.5), 'optimizer': dict(type='AdamW')}
    with pytest.raises(ValueError, match='set optim_wrapper.optimizer.lr'):
        build_optim_wrapper(Model(), config)


def test_no_backbone():
    with pytest.raises(ValueError, match='Linear has no module with get_layer_depth'):
        build_optim_wrapper(nn.Linear(2, 2), _config(layer_decay_rate=0.9))
