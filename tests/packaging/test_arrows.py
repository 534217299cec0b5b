# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Imports point one way: multitask -> tasks -> det -> inference -> common -> upstream, as ALLOWED has it."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

UPSTREAM = {'mmengine', 'mmcv', 'mmdet', 'mmpose', 'mmseg', 'mmpretrain', 'torch', 'numpy'}
_SERVING = {'sapiens_common', 'sapiens_inference', 'sapiens_det'}
ALLOWED = {
    'common': set(),
    'train': {'sapiens_common'},
    'inference': {'sapiens_common'},
    'pretrain': {'sapiens_common'},
    'synth': {'sapiens_common'},
    'det': {'sapiens_common', 'sapiens_inference'},
    'pose': _SERVING,
    'seg': _SERVING,
    'depth_normal': _SERVING,
    'multitask': {*_SERVING, 'sapiens_pose', 'sapiens_seg', 'sapiens_depth_normal'},
}


# Of sapiens_inference, from the bottom up: what comes later may import what comes before.
LAYERS = (
    ('items', 'concurrency', 'tasks'),
    ('inputs',),
    ('outputs',),
    ('engine',),
    ('guess',),
    ('loading',),
    ('annotate',),
    ('web',),
)


def _module(path):
    """`sapiens_pose.models.head` of its file; a package's `__init__.py` is the package."""
    start = next(i for i, part in enumerate(path.parts) if part.startswith('sapiens_'))
    parts = [*path.parts[start:-1], *([] if path.stem == '__init__' else [path.stem])]
    return '.'.join(parts)


def _imports(path):
    """Absolute names of all that a file imports: in functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ''
            if node.level:
                package = path.parts[: len(path.parts) - node.level]
                start = '.'.join([_module(Path(*package) / '__init__.py'), *filter(None, [start])])
            yield start
            yield from (f'{start}.{alias.name}' for alias in node.names)


def _inside(root, folder):
    """Which modules of a package each of its modules imports."""
    files = {_module(path): path for path in (root / folder / f'sapiens_{folder}').rglob('*.py')}
    graph = {}
    for name, path in files.items():
        found = set(_imports(path)) & files.keys()
        # `from package.module import name` is no import of the package itself.
        graph[name] = {n for n in found if not any(o.startswith(f'{n}.') for o in found)} - {name}
    return graph


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


@pytest.mark.parametrize('folder', ALLOWED)
def test_no_circles_inside_packages(root, folder):
    try:
        tuple(TopologicalSorter(_inside(root, folder)).static_order())
    except CycleError as error:
        pytest.fail(f'imports in a circle: {" <- ".join(error.args[1])}')


def test_stages_of_inference_point_one_way(root):
    level = {name: number for number, names in enumerate(LAYERS) for name in names}
    wrong = [
        f'{name} imports {other}'
        for name, others in _inside(root, 'inference').items()
        for other in others
        if '.' in name and '.' in other
        if level[name.split('.')[1]] < level[other.split('.')[1]]
    ]
    assert not wrong, wrong


def test_the_walk_sees_relative_and_hidden_imports(tmp_path):
    package = tmp_path / 'pose/sapiens_pose/models'
    package.mkdir(parents=True)
    (package / 'a.py').write_text('def f():\n    from ..data import b\n')
    (package.parent / 'data.py').write_text(
        'if TYPE_CHECKING:\n    from .models.a import f\nimport sapiens_seg.apis\n'
    )
    assert set(_imports(package.parent / 'data.py')) >= {
        'sapiens_seg.apis',
        'sapiens_pose.models.a',
    }
    with pytest.raises(
        pytest.fail.Exception, match=r'sapiens_pose\.data <- sapiens_pose\.models\.a'
    ):
        test_no_circles_inside_packages(tmp_path, 'pose')


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
