# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The shell launchers and entry points say what they need, and pass on what they are given."""

import os
import subprocess
import sys

import pytest


def _run(root, *command, **env):
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, **{key: str(value) for key, value in env.items()}},
    )


@pytest.mark.parametrize(
    ('script', 'arguments', 'usage'),
    [
        ('dist_train.sh', ['config.py'], 'dist_train.sh CONFIG GPUS'),
        ('dist_test.sh', ['config.py', 'a.pth'], 'dist_test.sh CONFIG CHECKPOINT GPUS'),
        ('slurm_train.sh', ['part', 'job'], 'slurm_train.sh PARTITION JOB_NAME CONFIG'),
        ('slurm_test.sh', ['part', 'job', 'c.py'], 'slurm_test.sh PARTITION JOB_NAME CONFIG CHECK'),
    ],
)
def test_usage(root, script, arguments, usage):
    result = _run(root, 'bash', f'tools/{script}', *arguments)
    assert result.returncode == 2
    assert usage in result.stderr


@pytest.fixture
def echo(tmp_path):
    """A stand-in interpreter that prints its arguments, one a line."""
    path = tmp_path / 'echo'
    path.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    path.chmod(0o755)
    return path


def test_arguments_with_spaces_reach_the_tool(root, echo):
    result = _run(
        root,
        'bash',
        'tools/dist_train.sh',
        'a config.py',
        '2',
        '--work-dir',
        'my runs',
        SAPIENS_PYTHON=echo,
    )
    lines = result.stdout.splitlines()
    assert lines[lines.index('--nproc_per_node') + 1] == '2'
    assert lines[-5:] == ['a config.py', '--launcher', 'pytorch', '--work-dir', 'my runs']
    assert '--standalone' in lines


def test_the_interpreter_that_install_builds_from_is_not_the_one_to_run_with(root, echo, tmp_path):
    """PYTHON, still set from tools/install.sh, has no torch; SAPIENS_PYTHON may be a name on the path."""
    command = ('bash', 'tools/dist_train.sh', 'c.py', '1')
    environment = {'PATH': f'{tmp_path}:{os.environ["PATH"]}', 'PYTHON': '/no/such/python'}
    result = _run(root, *command, **environment, SAPIENS_PYTHON='echo')
    assert result.stdout.splitlines()[:2] == ['-m', 'torch.distributed.run']
    result = _run(root, *command, **environment, SAPIENS_PYTHON='python9')
    assert result.returncode == 127 and 'python9: ' in result.stderr


def test_several_machines(root, echo):
    result = _run(
        root,
        *('bash', 'tools/dist_test.sh', 'c.py', 'a.pth', '8'),
        **dict(SAPIENS_PYTHON=echo, NNODES=2, NODE_RANK=1, MASTER_ADDR='10.0.0.1', PORT=1234),
    )
    lines = result.stdout.splitlines()
    for key, value in (('--nnodes', '2'), ('--node_rank', '1'), ('--master_port', '1234')):
        assert lines[lines.index(key) + 1] == value
    assert lines[-4:] == ['c.py', 'a.pth', '--launcher', 'pytorch']


def test_several_machines_need_an_address(root, echo):
    result = _run(
        root, 'bash', 'tools/dist_train.sh', 'c.py', '8', SAPIENS_PYTHON=echo, NNODES=2, NODE_RANK=0
    )
    assert result.returncode != 0
    assert 'set MASTER_ADDR' in result.stderr


def test_slurm_command(root, echo, tmp_path):
    (tmp_path / 'srun').write_text(echo.read_text())
    (tmp_path / 'srun').chmod(0o755)
    path = f'{tmp_path}:{os.environ["PATH"]}'
    result = _run(
        root,
        *('bash', 'tools/slurm_train.sh', 'gpu', 'my job', 'c.py', '--amp'),
        **dict(PATH=path, GPUS=16, SRUN_ARGS='--time=7-0 --mem=0'),
    )
    lines = result.stdout.splitlines()
    assert '--job-name=my job' in lines
    assert {'--ntasks=16', '--ntasks-per-node=8', '--time=7-0', '--mem=0'} <= set(lines)
    assert lines[-4:] == ['c.py', '--amp', '--launcher', 'slurm']


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_missing_config(root, tool):
    extra = ['a.pth'] if tool == 'test.py' else []
    result = _run(root, sys.executable, f'tools/{tool}', 'configs/pose/nope.py', *extra)
    assert result.returncode != 0
    assert 'config configs/pose/nope.py does not exist' in result.stderr
