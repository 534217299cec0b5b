# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A strategy file turns a recipe of every task and generation into one that trains a part of the encoder."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from sapiens_inference.engine.models import build_model

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
STRATEGIES = ('bitfit', 'frozen', 'last_blocks', 'lora')
# One small recipe of each task and generation.
RECIPES = {
    (path.parent.name, path.name.partition('_')[0]): path
    for path in sorted(CONFIGS.glob('*/sapiens*_tiny_*.py'), reverse=True)
    if path.parent.name != 'pretrain'
}


def test_all_tasks_are_there():
    first = {'pose', 'seg', 'depth', 'normal', 'multitask', 'matting'}
    second = {'pose', 'seg', 'normal', 'pointmap', 'albedo', 'matting'}
    assert first <= {task for task, family in RECIPES if family == 'sapiens'}
    assert second <= {task for task, family in RECIPES if family == 'sapiens2'}


@pytest.mark.parametrize('place', RECIPES, ids='-'.join)
def test_every_task_and_generation(place, tmp_path):
    strategy = STRATEGIES[list(RECIPES).index(place) % len(STRATEGIES)]  # each several times
    leaf = tmp_path / 'leaf.py'
    leaf.write_text(
        f"_base_ = ['{RECIPES[place]}', '{CONFIGS}/_base_/strategies/{strategy}.py']\n"
        'model = dict(backbone=dict(tuning=_base_.tuning))\n'
    )
    config = Config.fromfile(leaf)
    with torch.device('meta'):
        model = build_model(config)
        del config.model.backbone['tuning']
        plain = build_model(config)
    stored = model.state_dict()
    parts = {'lora': '.lora_', 'bitfit': '.bias', 'last_blocks': '', 'frozen': 'nothing'}
    kept = {n for n, p in model.backbone.named_parameters() if f'backbone.{n}' in stored}
    assert all(parts[strategy] in name for name in kept) and bool(kept) == (strategy != 'frozen')
    heads = {name for name in plain.state_dict() if not name.startswith('backbone.')}
    assert heads == {name for name in stored if not name.startswith('backbone.')}
    assert all(p.requires_grad for n, p in model.named_parameters() if n in heads)
