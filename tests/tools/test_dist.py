# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import subprocess
import sys

import pytest

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
