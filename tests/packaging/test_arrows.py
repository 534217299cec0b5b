# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Imports point one way: multitask -> tasks -> det -> inference -> common -> upstream."""

import ast

import pytest

UPSTREAM = {'mmengine', 'mmcv', 'mmdet', 'mmpose', 'mmseg', 'mmpretrain', 'torch', 'numpy'}
_SERVING = {'sapiens_common', 'sapiens_inference', 'sapiens_det'}
ALLOWED = {
    'common': set(),
    'inference': {'sapiens_common'},
    'pretrain': {'sapiens_common'},
    'synth': {'sapiens_common'},
    'det': {'sapiens_common', 'sapiens_inference'},
    'pose': _SERVING,
    'seg': _SERVING,
    'depth_normal': _SERVING,
    'multitask': {*_SERVING, 'sapiens_pose', 'sapiens_seg', 'sapiens_depth_normal'},
}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


@pytest.mark.parametrize('folder', ALLOWED)
def test_only_allowed_packages(root, folder):
    files = list((root / folder).rglob('*.py'))
    assert files, folder
    allowed = ALLOWED[folder] | {f'sapiens_{folder}'}
    wrong = [
        f'{path.relative_to(root)} imports {name}'
        for path in files
        for name in _imports(path)
        if name.startswith('sapiens_') and name.split('.')[0] not in allowed
    ]
    assert not wrong, wrong


@pytest.mark.parametrize('folder', ['pose', 'seg', 'depth_normal', 'common', 'det'])
def test_tasks_do_not_need_mmpretrain(root, folder):
    wrong = [
        str(path.relative_to(root))
        for path in (root / folder).rglob('*.py')
        if any(name.split('.')[0] == 'mmpretrain' for name in _imports(path))
    ]
    assert not wrong, wrong


def test_the_encoder_needs_mmengine_and_torch_only(root):
    for name in ('vit.py', 'pos_embed.py'):
        path = root / 'pretrain/sapiens_pretrain/models' / name
        found = {module.split('.')[0] for module in _imports(path)} & UPSTREAM
        assert found <= {'mmengine', 'torch'}


def test_every_module_is_read_in_one_sitting(root):
    long = {
        str(path.relative_to(root)): lines
        for folder in [*ALLOWED, 'tools', 'configs']
        for path in (root / folder).rglob('*.py')
        if (lines := len(path.read_text(encoding='utf-8').splitlines())) > 400
    }
    assert not long, f'split at 400 lines: {long}'


def test_registry_modules_stay_light(root):
    # An ImportError inside a registry.py is swallowed by mmengine: it must not import much.
    for path in root.glob('*/sapiens_*/registry.py'):
        assert {name.split('.')[0] for name in _imports(path)} <= {'mmengine', 'mmpose'}, path
