# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every shipped config loads, names only things that exist, builds, and groups its parameters.

Area tests check what a recipe says; this file checks what all of them have in common.
"""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (
    DATASETS,
    HOOKS,
    METRICS,
    MODELS,
    RUNNERS,
    TRANSFORMS,
    init_default_scope,
)

from sapiens_pretrain.models.base import PlainViT
from sapiens_pretrain.models.sapiens2 import SAPIENS2_ZOO
from sapiens_pretrain.models.vit import ARCH_ZOO

ZOOS = {'sapiens': ARCH_ZOO, 'sapiens2': SAPIENS2_ZOO}
CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
LEAVES = sorted(
    path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts and path.stem != '__init__'
)
ALL = sorted(path for path in CONFIGS.rglob('*.py') if path.stem != '__init__')
SIZES = sorted((CONFIGS / '_base_/sizes').glob('*.py'))
names = [str(path.relative_to(CONFIGS)) for path in LEAVES]
leaves = pytest.mark.parametrize('path', LEAVES, ids=names)
TASKS = {'pretrain', 'pose', 'seg', 'baselines', 'depth', 'normal', 'albedo', 'pointmap', 'matting'}
TASKS |= {'det', 'multitask'}
NAME = re.compile(
    r'(sapiens_(tiny|0\.3b|0\.6b|1b|2b)_[a-z0-9_]+|sapiens2_(tiny|0\.1b|0\.4b|0\.8b|1b|5b)_[a-z0-9_]+'
    r'|rtmdet_[a-z0-9_-]+|\w+_(r101|b5|swin_l)_goliath|(mae|dinov2)_vit_b_synthhuman'
    r'|(hrnet_w48|vitpose_[blh]|rtmpose_[ml]|rtmw_l|dwpose_[lm]_m)_goliath'
    r'|(hrnet_w24|vitpose_tiny|rtmpose_tiny|fcn_r18|deeplabv3plus_r18|segformer_b0|mask2former_swin_w32)_synthetic'
    r'|(swin_w32|convnext_atto|vit_tiny_dpt)_synthetic'
    r'|(swin_b|convnext_b|dinov2_vit_b_dpt)_synthhuman|cspnext_tiny_synthetic(_distilled|_offline)?)\.py'
)


def _load(path):
    config = Config.fromfile(path)
    init_default_scope(config.get('default_scope', 'mmengine'))
    return config


def _find(registry, name):
    """What a type resolves to, the config's default scope included."""
    with registry.switch_scope_and_registry(None) as scoped:
        return scoped.get(name)


def _pipelines(node):
    """Every transform config below a node."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == 'pipeline' or key.endswith('_pipeline'):
                yield from value or []
            else:
                yield from _pipelines(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _pipelines(value)


def _datasets(loader):
    """The datasets of a loader config, wrappers and their parts."""
    found = [loader['dataset']]
    for dataset in found:
        if 'dataset' in dataset:
            found.append(dataset['dataset'])
        found.extend(dataset.get('datasets', []))
    return found


@leaves
def test_name_and_length(path):
    assert NAME.fullmatch(path.name), path.name
    assert path.parent.name in TASKS
    code = [line for line in path.read_text().splitlines() if line.strip() and line[0] != '#']
    if path.name.startswith('sapiens'):
        limit = 60 if path.stem.endswith('synthetic') else 30  # these carry their own schedule
        assert len(code) <= limit, f'a leaf has about ten lines, this has {len(code)}'


@leaves
def test_paths_are_of_no_machine(path):
    assert not re.search(r"['\"](/|~|\w+::)", path.read_text())


@leaves
def test_header_says_what_a_run_takes_and_gives(path):
    header = path.read_text().split('_base_ =')[0]
    assert all(line.startswith('# ') for line in header.splitlines())
    assert f'configs/{path.relative_to(CONFIGS)}' in header, 'the command that trains it'
    for fact in ('# Hardware: ', ' Time: ', '# Expected: '):
        assert fact in header, f'{fact!r}: a figure, or that none was measured'


@pytest.mark.parametrize('path', ALL, ids=[str(path.relative_to(CONFIGS)) for path in ALL])
def test_bases_are_named_and_read_in_one_way(path):
    text = path.read_text()
    assert '{{_base_' not in text, 'write _base_.name'
    for bases in re.findall(r'^_base_ = (.*?)^$', text + '\n', re.M | re.S)[:1]:
        assert bases.startswith('['), 'a list, of one base too'
        assert "'./" not in bases
    numbered = re.findall(r'pipeline\[\d|\.transforms\[\d|hooks\[\d', text)
    assert not numbered, f'{numbered}: build pipelines of named parts'


@leaves
def test_data_root_and_pipelines_are_those_of_the_loaders(path):
    """One option moves the data; configs of one's own change `_base_.train_pipeline`, as upstream's do."""
    config = Config.fromfile(path)
    dataset = config.get('train_dataloader', {}).get('dataset', {})
    if 'data_root' in config and 'data_root' in dataset:
        assert f'{dataset.data_root}/'.startswith(f'{config.data_root.rstrip("/")}/')
    for split in ('train', 'test'):
        pipeline = (config.get(f'{split}_dataloader') or {}).get('dataset', {}).get('pipeline')
        if pipeline and f'{split}_pipeline' in config:
            assert config[f'{split}_pipeline'] == pipeline


@leaves
def test_types_exist(path):
    config = _load(path)
    assert _find(RUNNERS, config.get('runner_type', 'Runner')) is not None
    for transform in _pipelines(config._cfg_dict):
        assert _find(TRANSFORMS, transform['type']) is not None, transform
    for hook in [*config.get('default_hooks', {}).values(), *config.get('custom_hooks', [])]:
        assert hook is None or _find(HOOKS, hook['type']) is not None, hook
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for dataset in _datasets(config[loader]) if config.get(loader) else []:
            assert _find(DATASETS, dataset['type']) is not None, dataset
    for evaluator in ('val_evaluator', 'test_evaluator'):
        metrics = config.get(evaluator) or []
        for metric in [metrics] if isinstance(metrics, dict) else metrics:
            assert _find(METRICS, metric['type']) is not None, metric


@pytest.mark.parametrize(
    'path',
    # Upstream's transformers call .item() while they are built: tests/seg builds the baselines.
    [path for path in LEAVES if path.parent.name != 'baselines'],
    ids=[name for name in names if 'baselines' not in name],
)
def test_builds_and_groups(path):
    config = _load(path)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    backbone = getattr(model, 'backbone', None)
    if isinstance(backbone, PlainViT):
        family, size = path.name.split('_')[:2]
        assert backbone.embed_dims == ZOOS[family][size]['embed_dims']
        assert backbone.num_layers == ZOOS[family][size]['num_layers']
    if not config.get('optim_wrapper'):
        return
    config.optim_wrapper.type = 'OptimWrapper'
    for key in ('dtype', 'loss_scale', 'use_fsdp'):
        config.optim_wrapper.pop(key, None)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    groups = wrapper.optimizer.param_groups
    grouped = {id(p) for group in groups for p in group['params']}
    assert grouped == {id(p) for p in model.parameters() if p.requires_grad}
    paramwise = config.optim_wrapper.get('paramwise_cfg') or {}
    if paramwise.get('layer_decay_rate', 1.0) < 1.0:
        scales = [group['lr_scale'] for group in groups]
        assert max(scales) == 1.0
        trained = [p.requires_grad for p in backbone.parameters()]
        assert not all(trained) or min(scales) < 0.5
        for group in groups:
            biases = [n for n in group['param_names'] if n.endswith('.bias') or 'pos_embed' in n]
            assert not biases or group['weight_decay'] == 0


@pytest.mark.parametrize('path', SIZES, ids=[path.stem for path in SIZES])
def test_size_card_equals_zoo(path):
    card = Config.fromfile(path)
    family = path.stem.split('_')[0]
    assert path.stem.removesuffix('_4k') == f'{family}_{card.arch}'
    assert card.embed_dims == ZOOS[family][card.arch]['embed_dims']
    window = card.get('tokenizer_window', 1)
    expected = (256, 192) if card.arch == 'tiny' else (1024 * window, 768 * window)
    assert card.img_size == expected
    # The published recipes of the first generation keep one rate for all sizes; tiny starts from nothing.
    if card.arch == 'tiny' or family == 'sapiens':
        assert card.layer_decay_rate == (1.0 if card.arch == 'tiny' else 0.85)
    else:
        assert 0.8 <= card.layer_decay_rate <= 0.94


def test_every_size_of_every_published_recipe_exists():
    recipes = {
        'pretrain': ['humans300m'],
        'pose': ['goliath', 'coco_wholebody', 'coco'],
        'seg': ['goliath', 'cihp', 'lip'],
        'depth': ['render_people'],
        'normal': ['render_people'],
    }
    expected = {
        f'{task}/sapiens_{size}_{data}.py'
        for task, sets in recipes.items()
        for data in sets
        for size in ARCH_ZOO
    }
    missing = expected - set(names)
    assert not missing, sorted(missing)
