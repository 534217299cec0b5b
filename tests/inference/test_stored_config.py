# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The config that a checkpoint carries, or that is inferred from it, with its input size."""

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from sapiens_inference.engine.models import build_model
from sapiens_inference.engine.stored_config import read_stored_config
from sapiens_inference.guess import config_of


def test_the_config_that_a_checkpoint_carries(small_config, small_model, tmp_path, monkeypatch):
    """128 x 96 once became the 256 x 192 of the shipped config without a word."""
    config = small_config('seg', shrink=False)
    config.model.backbone.img_size = (128, 96)
    model = build_model(config)
    carried = {'state_dict': model.state_dict(), 'meta': {'cfg': config.pretty_text}}
    torch.save(carried, tmp_path / 'seg.pth')
    said = []
    monkeypatch.setattr(MMLogger, 'warning', lambda logger, text: said.append(text))
    monkeypatch.setattr(MMLogger, 'info', lambda logger, text: said.append(text))
    found = config_of(tmp_path / 'seg.pth', 'seg')
    assert found.model.backbone.img_size == (128, 96)
    assert found._cfg_dict == Config.fromstring(config.pretty_text, '.py')._cfg_dict
    assert said.pop().endswith(
        'seg.pth: with the config it carries, input 128 x 96 pixels (height x width)'
    )
    with pytest.raises(ValueError, match='this is a checkpoint for seg, not one for pose'):
        config_of(tmp_path / 'seg.pth', 'pose')
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'bare.pth')
    with pytest.raises(
        ValueError, match=r'trained with 48 patches, and sapiens_tiny_goliath.* 192'
    ):
        config_of(tmp_path / 'bare.pth', 'seg')
    full = small_model('seg', shrink=False)
    torch.save({'state_dict': full.state_dict()}, tmp_path / 'full.pth')
    config_of(tmp_path / 'full.pth', 'seg')
    assert 'carries no config; taken as sapiens_tiny_goliath, input 256 x 192' in said.pop()


@pytest.mark.parametrize(
    ('text', 'cause'),
    [
        ("import os\nmodel = dict(type='A')", 'line 1 is not an assignment'),
        ("model = dict(type=__import__('os').system('touch x'))", 'line 1 holds __import__'),
        ('a.b = 3', 'something other than a name'),
        ('model = dict(**other)', 'line 1 holds dict'),
        ('model = [x for x in range(3)]', 'line 1 holds'),
        ('model = (', 'was never closed'),
    ],
)
def test_a_stored_config_is_never_run(text, cause, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rf'a\.pth: the config in this checkpoint .*{cause}'):
        read_stored_config(text, 'a.pth')
    assert not list(tmp_path.iterdir())


def test_stored_values_of_every_kind():
    text = "a = dict(b=[1, -2.5, (3, ), None, True], c={'x y': 'z', 4: inf})\nd = set([1])\n"
    config = read_stored_config(text, 'a.pth')
    assert config.a.b == [1, -2.5, (3,), None, True] and config.a.c['x y'] == 'z'
    assert config.a.c[4] == float('inf') and config.d == {1}
