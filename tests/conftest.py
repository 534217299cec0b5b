# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import json
import os
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from torch import distributed as dist

os.environ.setdefault('NO_ALBUMENTATIONS_UPDATE', '1')
ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(os.environ.get('SAPIENS_GOLDEN') or ROOT / 'tests/data/golden')


@pytest.fixture(autouse=True)
def _few_threads():
    torch.set_num_threads(2)


@pytest.fixture(autouse=True)
def _own_default_scope():
    """A default scope that one test sets must not carry another."""
    DefaultScope._instance_dict.clear()
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A process group of one rank in this process."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    dist.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture(scope='session')
def root():
    """Root of the source tree."""
    return ROOT


@pytest.fixture
def warned(monkeypatch):
    """Texts of the warnings that mmengine's loggers were given."""
    texts = []
    # Of the class: an attribute that is set on a logger, and restored, stays on it and hides the class's.
    monkeypatch.setattr(MMLogger, 'warning', lambda logger, text: texts.append(text))
    return texts


@pytest.fixture
def run_tool(root, monkeypatch, capfd):
    """`run_tool('tools/x.py', *arguments)`: what the tool prints, run in this process.

    A tool that fails raises SystemExit.
    """

    def run(path, *arguments):
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        try:
            runpy.run_path(str(root / path), run_name='__main__')
        except SystemExit as end:
            if end.code:
                raise
        return capfd.readouterr().out

    return run


@pytest.fixture
def exit_of(run_tool, capfd):
    """`exit_of('tools/x.py', *arguments)`: exit code (or message) of the tool, and what it prints."""

    def run(path, *arguments):
        try:
            return 0, run_tool(path, *arguments)
        except SystemExit as end:
            return end.code, capfd.readouterr().out

    return run


@pytest.fixture
def run_command(root, run_tool):
    """`run_command('python tools/x.py --flag', *more)`: what a command of a docs page prints.

    Python tools run in this process, which has imported everything already.
    """

    def run(command, *more):
        program, tool, *arguments = shlex.split(command, comments=True)
        if program == 'python':
            return run_tool(tool, *arguments, *more)
        done = subprocess.run(
            [program, str(root / tool), *arguments, *more],
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'SAPIENS_PYTHON': sys.executable},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    return run


@pytest.fixture
def golden():
    """Reader of a reference file: arrays by name, `meta` as dict, `state_dict` as tensors."""

    def read(name):
        with np.load(GOLDEN / f'{name}.npz', allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        prefix = 'state_dict/'
        weights = {
            key.removeprefix(prefix): torch.from_numpy(arrays.pop(key))
            for key in list(arrays)
            if key.startswith(prefix)
        }
        meta = json.loads(str(arrays.pop('meta'))) if 'meta' in arrays else {}
        return {**arrays, 'meta': meta, 'state_dict': weights}

    return read


@pytest.fixture
def golden_dir():
    """Folder of the reference files."""
    return GOLDEN


@pytest.fixture(scope='session')
def samples():
    """Folder of real photos and a video; see CONTRIBUTING.md for what belongs there."""
    folder = os.environ.get('SAPIENS_SAMPLES')
    if not folder:
        pytest.skip('SAPIENS_SAMPLES names no folder of sample photos')
    return Path(folder).resolve()


@pytest.fixture(scope='session')
def checkpoint_keys():
    """`checkpoint_keys(task, size)`: names to shapes of a published checkpoint."""
    recorded = json.loads((ROOT / 'tests/data/checkpoint_keys.json').read_text())['state_dicts']
    depths = {'0.3b': 24, '0.6b': 32, '1b': 40, '2b': 48}

    def expand(task, size):
        found = {}
        for key, shape in recorded[task][size].items():
            count = depths[size] if '{i}' in key else 8 if '{j}' in key else 1
            for index in range(count):
                name = key.replace('{i}', str(index)).replace('{j}', str(index))
                found[name] = tuple(shape)
        return found

    return expand


@pytest.fixture(scope='session')
def sapiens2_keys():
    """`sapiens2_keys(task, size)`: names to shapes of a published checkpoint of Sapiens2."""
    recorded = json.loads((ROOT / 'tests/data/checkpoint_keys_sapiens2.json').read_text())

    def expand(task, size):
        layers = recorded['layers'][size]
        grouped = layers['grouped_query']
        numbers = {
            '{i}': range(layers['blocks']),
            '{m}': [n for start, stop in layers['full_attention'] for n in range(start, stop)],
            '{g}': range(*grouped) if grouped else [],
            '{t}': range(layers['tokenizer_blocks']),
        }
        found = {}
        for key, shape in recorded['state_dicts'][task][size].items():
            mark = next((mark for mark in numbers if mark in key), '')
            for index in numbers[mark] if mark else [0]:
                found[key.replace(mark, str(index)) if mark else key] = tuple(shape)
        assert len(found) == recorded['entries_and_parameters'][task][size][0]
        return found

    return expand
