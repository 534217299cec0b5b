# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The install script refuses what it cannot serve; images and workflows name what is there."""

import os
import re
import subprocess

import pytest
import yaml


def install(root, *options, **variables):
    command = ['bash', str(root / 'tools/install.sh'), *options]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_an_unknown_option_is_refused(root):
    done = install(root, '--minmal')
    assert done.returncode == 1 and 'unknown option --minmal; there is --minimal' in done.stderr


@pytest.mark.parametrize(('answer', 'found'), [('echo 3.13', '3.13'), ('exit 1', '')])
def test_a_python_that_does_not_serve_is_refused(root, tmp_path, answer, found):
    python = tmp_path / 'python'
    python.write_text(f'#!/bin/sh\n{answer}\n')
    python.chmod(0o755)
    done = install(root, PYTHON=str(python))
    assert done.returncode == 1
    assert f'Python 3.10, 3.11 or 3.12 is needed, found {python} {found}' in done.stderr


def test_minimal_names_extras_that_exist(root):
    text = (root / 'tools/install.sh').read_text()
    (names,) = re.findall(r'--minimal\) extras=(\S+) ;;', text)
    setup = (root / 'setup.py').read_text()
    for name in names.split(','):
        assert re.search(rf"'{name}':", setup), name
    assert not {'pretrain', 'synth', 'export', 'test', 'docs'} & set(names.split(','))


def test_the_image_is_described_as_it_is(root):
    file, page = (root / 'docker/Dockerfile').read_text(), (root / 'docs/install.md').read_text()
    arguments = set(re.findall(r'^ARG (\w+)', file, re.M))
    assert set(re.findall(r'--build-arg (\w+)=', file + page)) <= arguments
    script = (root / 'tools/install.sh').read_text()
    assert 'TORCH_INDEX' in arguments and '${TORCH_INDEX' in script
    assert 'Neither image has been built by us' in page and 'not been built' in file


def test_workflows_run_what_is_there(root):
    flows = {
        path.stem: yaml.safe_load(path.read_text())
        for path in (root / '.github/workflows').glob('*.yml')
    }
    assert flows['ci']['jobs']['test']['strategy']['matrix']['python'] == ['3.10', '3.11', '3.12']
    steps = [
        step for flow in flows.values() for job in flow['jobs'].values() for step in job['steps']
    ]
    commands = '\n'.join(step.get('run', '') for step in steps)
    assert 'mkdocs build --strict' in commands and 'ruff check' in commands
    for path in re.findall(r'\b(?:tools|\.ci)/[\w./]+', commands):
        assert (root / path).is_file(), path
