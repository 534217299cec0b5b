# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The shipped recipes, killed by SIGKILL at random moments and restarted, end with the same weights."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def call(tmp_path_factory):
    """`call(command, *arguments)`: the answer of the job server."""
    errors = open(tmp_path_factory.mktemp('server') / 'errors.txt', 'w+')
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name('recipe_job.py'))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )

    def ask(command, *arguments):
        print(json.dumps([command, *map(_plain, arguments)]), file=server.stdin, flush=True)
        answer = server.stdout.readline()
        if not answer:
            errors.seek(0)
            raise RuntimeError(errors.read()[-3000:])
        return json.loads(answer)

    yield ask
    server.stdin.close()
    server.wait(30)


def _plain(value):
    return str(value) if isinstance(value, Path) else value


@pytest.fixture(scope='module')
def data(call, tmp_path_factory):
    folder = tmp_path_factory.mktemp('invented')
    call('invent', folder)
    return folder


class Job:
    """A run on one or two processes."""

    def __init__(self, call, task, data, work_dir, processes):
        work_dir.mkdir(exist_ok=True)
        self.call, self.work_dir = call, work_dir
        port = call('port')
        self.pids = [
            call('run', task, data, work_dir, rank, processes, port) for rank in range(processes)
        ]

    def output(self, rank):
        path = self.work_dir / f'output_{rank}.txt'
        return path.read_text()[-3000:] if path.exists() else 'no output'

    def finish(self):
        for rank, pid in enumerate(self.pids):
            assert self.call('wait', pid) == 0, self.output(rank)
        return [
            torch.load(self.work_dir / f'result_{rank}.pt', weights_only=True)
            for rank in range(len(self.pids))
        ]

    def kill_when(self, condition, delay=0.0):
        polls = 0
        while not condition():
            polls += 1
            if polls % 500 == 0:
                for rank, pid in enumerate(self.pids):
                    assert self.call('alive', pid), self.output(rank)
            time.sleep(0.001)
        time.sleep(delay)
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self.pids:
            assert self.call('wait', pid) == -signal.SIGKILL


@pytest.mark.parametrize('processes', [1, 2])
@pytest.mark.parametrize('task', ['pose', 'seg', 'depth', 'mae'])
def test_killed_recipe_ends_alike(call, data, tmp_path, task, processes):
    rng = random.Random(f'{task} {processes}')
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    expected = Job(call, task, data, whole, processes).finish()

    # Killed while the second or third checkpoint is being written, or a moment after it.
    number = rng.choice([2, 3])
    job = Job(call, task, data, cut, processes)
    if processes == 1:
        job.kill_when((cut / f'.iter_{number}.pth.partial').exists)
    else:
        job.kill_when((cut / f'iter_{number}.pth').exists, delay=rng.uniform(0, 0.1))
    results = Job(call, task, data, cut, processes).finish()
    for before, after in zip(expected, results, strict=True):
        assert after['iterations'] >= number - 1
        assert before['weights'].keys() == after['weights'].keys()
        for name, value in before['weights'].items():
            assert torch.equal(value, after['weights'][name]), name
