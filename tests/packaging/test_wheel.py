# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The wheel holds the packages and the whole config tree, and nothing else at top level."""

import subprocess
import sys
from zipfile import ZipFile

import pytest
import yaml
from commands import COMMANDS
from invented_data import invent_data


@pytest.fixture(scope='module')
def wheel(root, tmp_path_factory):
    out = tmp_path_factory.mktemp('wheel')
    source = out / 'source'
    # Built from a copy, so that no build/ or *.egg-info appears in the tree under test.
    files = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout.split(b'\0')
    for name in filter(None, map(bytes.decode, files)):
        if name.startswith('tests/') or not (root / name).is_file():
            continue
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((root / name).read_bytes())
    command = [sys.executable, '-m', 'pip', 'wheel', str(source), '-w', str(out)]
    command += ['--no-deps', '--no-build-isolation', '--quiet']
    subprocess.run(command, check=True)
    return next(out.glob('*.whl'))


def test_contents(wheel, root):
    names = ZipFile(wheel).namelist()
    top = {name.split('/')[0] for name in names if '.dist-info' not in name}
    folders = (
        'common',
        'train',
        'inference',
        'multitask',
        'pretrain',
        'pose',
        'seg',
        'depth_normal',
        'det',
        'synth',
    )
    assert top == {f'sapiens_{folder}' for folder in folders} | {'sapiens_configs', 'sapiens_tools'}
    ours = {str(path.relative_to(root / 'configs')) for path in (root / 'configs').rglob('*.py')}
    packed = {name.removeprefix('sapiens_configs/') for name in names if '_configs/' in name}
    assert ours <= packed
    assert 'sapiens_common/data/goliath308.json' in names
    assert {f'sapiens_{folder}/py.typed' for folder in folders} <= set(names)
    (scripts,) = [name for name in names if name.endswith('entry_points.txt')]
    text = ZipFile(wheel).read(scripts).decode()
    for command, tool in COMMANDS.items():
        assert f'{command} = sapiens_tools.commands:main' in text
        assert f'sapiens_tools/{tool}' in names


def test_what_mim_looks_for(wheel, root):
    names = set(ZipFile(wheel).namelist())
    mim = 'sapiens_common/.mim/'
    index = yaml.safe_load(ZipFile(wheel).read(f'{mim}model-index.yml'))
    assert index == yaml.safe_load((root / 'model-index.yml').read_text())
    for metafile in index['Import']:
        models = yaml.safe_load(ZipFile(wheel).read(mim + metafile))['Models']
        assert {mim + model['Config'] for model in models} <= names
    assert {f'{mim}tools/train.py', f'{mim}tools/test.py'} <= names
    # mim takes the first top-level name of a distribution for its module.
    (top,) = [name for name in names if name.endswith('top_level.txt')]
    assert ZipFile(wheel).read(top).decode().split()[0] == 'sapiens_common'


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """`installed(command, *arguments)`: run a console script of the unpacked wheel, far from the source."""
    folder = tmp_path_factory.mktemp('installed')
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    environment = {
        'PYTHONPATH': str(folder),
        'NO_ALBUMENTATIONS_UPDATE': '1',
        'PATH': '/usr/bin:/bin',
        'HOME': str(folder),
    }

    def run(command, *arguments):
        code = f'import sys; sys.argv[0] = {command!r}; from sapiens_tools.commands import main; main()'
        return subprocess.run(
            [sys.executable, '-c', code, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment,
            cwd=folder,
        )

    return run


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_answers(installed, command):
    done = installed(command, '--help')
    assert done.returncode == 0 and 'usage: ' + command in done.stdout, done.stderr[-2000:]


@pytest.mark.slow
def test_a_user_of_the_wheel_trains_tests_and_predicts(installed, tmp_path):
    data, work = tmp_path / 'data', tmp_path / 'work'
    invent_data(data)
    options = ['--cfg-options', f'data_root={data}']
    small = ['train_dataloader.num_workers=1', 'val_dataloader.num_workers=1', 'epochs=1']
    small += ['train_cfg.max_epochs=1', 'train_dataloader.batch_size=2']
    name = 'depth/sapiens_tiny_folder.py'
    done = installed('sapiens-train', name, '--work-dir', work, *options, *small)
    assert done.returncode == 0, done.stderr[-2000:]
    (checkpoint,) = work.glob('epoch_*.pth')
    done = installed('sapiens-test', name, checkpoint, '--work-dir', work, *options)
    assert done.returncode == 0, done.stderr[-2000:]
    done = installed(
        'sapiens-demo', 'depth', data / 'images', '--weights', checkpoint, '--model', name,
        '--out', tmp_path / 'out',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert list((tmp_path / 'out').rglob('*.npy'))


def test_installed_wheel_builds_a_model_from_its_own_config(wheel, tmp_path):
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = """
from importlib.resources import files
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
config = Config.fromfile(str(files('sapiens_configs').joinpath('pose/sapiens_tiny_coco.py')))
with DefaultScope.overwrite_default_scope('mmpose'):
    print(type(MODELS.build(config.model).backbone).__module__)
"""
    result = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        env={'PYTHONPATH': str(tmp_path), 'NO_ALBUMENTATIONS_UPDATE': '1', 'PATH': '/usr/bin:/bin'},
        cwd=tmp_path,
    )
    assert 'sapiens_pretrain.models.vit' in result.stdout, result.stderr[-2000:]
