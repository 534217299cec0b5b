# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A type name belongs to one package: a forgotten prefix fails instead of finding another class."""

import importlib
from collections import defaultdict

import pytest
from mmengine.registry import Registry

from sapiens_common.compat import SCOPES
from sapiens_train.registry import HOOKS as OUR_HOOKS

UPSTREAM = ('mmengine', 'mmcv', 'mmdet', 'mmpose', 'mmseg', 'mmpretrain')


def _registries(package):
    """Every registry of a package, filled; mmcv registers in those of mmengine."""
    try:
        module = importlib.import_module(f'{package}.registry')
    except ModuleNotFoundError as error:
        assert error.name == f'{package}.registry', error
        return []
    found = {id(value): value for value in vars(module).values() if isinstance(value, Registry)}
    return [registry for registry in found.values() if registry.scope == package]


@pytest.fixture(scope='module')
def registered(root):
    """Package -> names registered by its classes, whichever registry holds them."""
    ours = [path.name for path in root.glob('*/sapiens_*') if path.is_dir()]
    importlib.import_module('mmcv.ops')
    importlib.import_module('mmcv.transforms')
    names = defaultdict(list)
    for package in [*UPSTREAM, *ours]:
        for registry in _registries(package):
            registry.import_from_location()
    for package in [*UPSTREAM, *ours]:
        for registry in _registries(package):
            for name, kind in registry.module_dict.items():
                owner = getattr(kind, '__module__', package).split('.')[0]
                names[owner if owner in ours else package].append(name)
    return names


def test_every_upstream_library_was_read(registered):
    for package, example in {
        'mmengine': 'CheckpointHook',  # and mmcv's and torch's classes, which live in its registries
        'mmdet': 'CocoDataset',
        'mmpose': 'UDPHeatmap',
        'mmseg': 'SiLogLoss',
        'mmpretrain': 'LearningRateDecayOptimWrapperConstructor',
    }.items():
        assert example in registered[package]
    assert 'LoadImageFromFile' in registered['mmengine']
    assert 'SapiensViT' in registered['sapiens_pretrain']


def test_no_name_of_ours_exists_upstream(registered):
    upstream = {name: package for package in UPSTREAM for name in registered[package]}
    mistakable = [
        f'{package}.{name}: also in {upstream[name]}'
        for package in registered
        if package.startswith('sapiens_')
        for name in registered[package]
        if name in upstream
    ]
    assert not mistakable, mistakable


def test_no_two_packages_of_ours_share_a_name(registered):
    owners = defaultdict(set)
    for package in registered:
        if package.startswith('sapiens_'):
            for name in registered[package]:
                owners[name].add(package)
    shared = {name: packages for name, packages in owners.items() if len(packages) > 1}
    assert not shared, shared


@pytest.mark.parametrize(
    ('library', 'registry', 'name', 'hint'),
    [
        ('mmpose', 'MODELS', 'PoseHead', 'sapiens_pose.PoseHead'),
        ('mmpose', 'MODELS', 'sapiens_seg.PoseHead', 'sapiens_pose.PoseHead'),
        ('mmpose', 'MODELS', 'sapien_pose.PoseHead', 'sapiens_pose.PoseHead'),
        ('mmseg', 'MODELS', 'SapiensViT', 'sapiens_pretrain.SapiensViT'),
        ('mmseg', 'TRANSFORMS', 'LoadPhoto', 'sapiens_common.LoadPhoto'),
        ('mmengine', 'HOOKS', 'SafeCheckpointHook', 'sapiens_train.SafeCheckpointHook'),
    ],
)
def test_a_forgotten_or_wrong_prefix_is_suggested(library, registry, name, hint):
    registry = getattr(importlib.import_module(f'{library}.registry'), registry)
    with pytest.raises(KeyError, match=f"Did you mean type='{hint}'") as error:
        registry.build(dict(type=name))
    assert str(error.value).count('Did you mean') == 1


def test_nested_parts_get_the_hint_once():
    from mmpose.registry import MODELS

    config = dict(type='TopdownPoseEstimator', backbone=dict(type='SapiensViT', arch='tiny'))
    with pytest.raises(KeyError, match='sapiens_pretrain.SapiensViT') as error:
        MODELS.build(config)
    assert str(error.value).count('Did you mean') == 1


def test_a_name_that_nobody_has_keeps_upstreams_message():
    from mmpose.registry import MODELS

    with pytest.raises(KeyError, match='NoSuchHead is not in the') as error:
        MODELS.build(dict(type='NoSuchHead'))
    assert 'Did you mean' not in str(error.value)


def test_other_errors_of_a_build_stay():
    with pytest.raises(KeyError) as error:
        OUR_HOOKS.build(dict(type=_fails))
    assert error.value.args == ('PoseHead',)


def _fails():
    raise KeyError('PoseHead')


def test_the_suggested_scopes_are_all(root):
    assert set(SCOPES) == {path.parent.name for path in root.glob('*/sapiens_*/registry.py')}
