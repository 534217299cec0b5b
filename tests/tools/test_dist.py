# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import os
import subprocess
import sys

import pytest
import torch
from runs import dist as dist_module

RANK = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from runs.dist import leave_process_group

def threads():
    return len(list(pathlib.Path('/proc/self/task').iterdir()))

class Runner:
    def __init__(self):
        self.hook = self  # as runners, loops and hooks refer to each other
        self.model = DistributedDataParallel(nn.Linear(2, 2))

    def train(self):
        self.model(torch.ones(1, 2)).sum().backward()
        print(threads())

torch.set_num_threads(1)
torch.distributed.init_process_group('gloo', init_method=f'file://{sys.argv[2]}', rank=0, world_size=1)
Runner().train()
leave_process_group()
print(threads())
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='counts threads in /proc')
def test_no_thread_of_the_group_outlives_a_run(root, tmp_path):
    """Such threads can abort a rank while it exits. Two run the group's operations."""
    command = [sys.executable, '-c', RANK, str(root / 'tools'), str(tmp_path / 'store')]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    during, after = map(int, done.stdout.split())
    assert during - after >= 2


JOIN = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
from mmengine.config import Config
from runs.launch import build_runner
torch.cuda.is_available = lambda: False
build_runner(Config(dict(work_dir=sys.argv[2], launcher='mpi', env_cfg=dict(dist_cfg=dict(timeout=1)))))
"""


def test_the_config_says_how_long_to_wait_for_others(root, tmp_path):
    """The other process of the two never comes."""
    ranks = {'OMPI_COMM_WORLD_RANK': '0', 'OMPI_COMM_WORLD_SIZE': '2'}
    ranks |= {'OMPI_COMM_WORLD_LOCAL_RANK': '0', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': '0'}
    command = [sys.executable, '-c', JOIN, str(root / 'tools'), str(tmp_path)]
    done = subprocess.run(
        command, env={**os.environ, **ranks}, capture_output=True, text=True, timeout=300
    )
    assert '1/2 clients joined' in done.stderr


@pytest.mark.parametrize(
    ('launcher', 'names'),
    [
        ('slurm', ['SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID']),
        ('mpi', [f'OMPI_COMM_WORLD_{name}' for name in ('RANK', 'SIZE', 'LOCAL_RANK')]),
    ],
)
def test_every_process_has_a_gpu_of_its_own(monkeypatch, launcher, names):
    """With GPUs mmengine joins, as the config says; ``LOCAL_RANK`` then chooses the GPU of the model."""
    monkeypatch.setenv('LOCAL_RANK', '0')  # what the command line sets where no launcher did
    for name in ('RANK', 'WORLD_SIZE', 'MASTER_PORT'):
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    for name, value in zip(names, ('9', '16', '1'), strict=True):
        monkeypatch.setenv(name, value)
    joined = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(
        dist_module, 'init_dist', lambda launcher, **options: joined.append((launcher, options))
    )
    dist_module.init_process_group(launcher, backend='nccl', timeout=7200)
    assert joined == [(launcher, {'backend': 'nccl', 'timeout': 7200})]
    assert [os.environ[name] for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')] == ['9', '16', '1']
