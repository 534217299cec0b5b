# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What the migration page names exists, and its ViTPose config builds."""

import importlib
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope, Registry


@pytest.fixture(scope='module')
def page(root):
    return (root / 'docs/migration.md').read_text(encoding='utf-8')


def test_a_vitpose_config_with_our_encoder(page, tmp_path):
    (block,) = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    (tmp_path / 'mine.py').write_text(block)
    config = Config.fromfile(tmp_path / 'mine.py')
    with DefaultScope.overwrite_default_scope('mmpose'), torch.device('meta'):
        model = MODELS.build(config.model)
        found = model.head(model.backbone(torch.zeros(1, 3, 256, 192)))
    assert found.shape == (1, 17, 64, 48)


def test_the_right_columns_exist(page, root):
    cells = re.findall(r'^\|.*?\|(.*)\|$', page, re.MULTILINE)
    for path in re.findall(r'\b(?:tools|configs)/[\w/.]+\.(?:py|sh)', '\n'.join(cells)):
        assert (root / path).is_file(), path
    for name in re.findall(r'`(sapiens_\w+\.[A-Z]\w+)`', page):
        scope, kind = name.split('.')
        found = vars(importlib.import_module(f'{scope}.registry')).values()
        registries = [registry for registry in found if isinstance(registry, Registry)]
        assert any(registry.scope == scope and registry.get(kind) for registry in registries), name
