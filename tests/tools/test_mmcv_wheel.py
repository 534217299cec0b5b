# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A ready mmcv wheel is taken if its operators load, from the folder that the user names."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

METADATA = 'Metadata-Version: 2.1\nName: mmcv\nVersion: 2.1.0\n'


def search(root, wheels, out):
    command = [sys.executable, str(root / 'tools/_mmcv_wheel.py'), 'mmcv==2.1.0', str(out)]
    environment = {**os.environ, 'MMCV_INDEX': str(wheels)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def write_wheel(folder, operators):
    folder.mkdir()
    with ZipFile(folder / 'mmcv-2.1.0-py3-none-any.whl', 'w') as archive:
        archive.writestr('mmcv/__init__.py', '')
        for name, content in operators.items():
            archive.writestr(f'mmcv/{name}', content)
        archive.writestr('mmcv-2.1.0.dist-info/METADATA', METADATA)
        archive.writestr('mmcv-2.1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\nTag: py3-none-any\n')
        archive.writestr('mmcv-2.1.0.dist-info/RECORD', '')
    return folder


def test_broken_and_missing_operators_are_refused(root, tmp_path):
    for number, operators in enumerate([{}, {'_ext.abi3.so': b'not a library'}]):
        out = tmp_path / f'out{number}'
        done = search(root, write_wheel(tmp_path / f'wheels{number}', operators), out)
        assert done.returncode == 1, done.stderr
        assert not list(out.glob('*.whl'))
    assert 'does not load' in done.stderr


def test_operators_that_load(root, tmp_path):
    spec = importlib.util.find_spec('mmcv._ext')
    if spec is None:
        pytest.skip('mmcv has no operators here')
    operators = {Path(spec.origin).name: Path(spec.origin).read_bytes()}
    done = search(root, write_wheel(tmp_path / 'wheels', operators), tmp_path / 'out')
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / 'out').glob('mmcv-2.1.0-*.whl'))
