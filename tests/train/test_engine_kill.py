# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""SIGKILL at random moments, saving included: a restarted run ends with the very same weights."""

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

JOB = Path(__file__).with_name('toy_job.py')
OPTIONS = {
    'epochs': 3,
    'checkpoint': {'interval': 1, 'by_epoch': False, 'max_keep_ckpts': 2},
    'model.slow': 0.03,
}


def start(work_dir, processes=1, **options):
    """Start the toy run as a process group of its own."""
    launcher = []
    if processes > 1:
        launcher = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={processes}']
    arguments = [str(JOB), str(work_dir), '--options', json.dumps(options)]
    if processes > 1:
        arguments += ['--launcher', 'pytorch']
    Path(work_dir).mkdir(parents=True, exist_ok=True)
    log = open(Path(work_dir) / 'output.txt', 'a')
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    return subprocess.Popen(
        [sys.executable, *launcher, *arguments],
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=environment,
    )


def finish(process, work_dir):
    code = process.wait(timeout=300)
    text = (Path(work_dir) / 'output.txt').read_text()
    assert code == 0, text[-3000:]
    return text


def result(work_dir, rank=0):
    return torch.load(Path(work_dir) / f'result_{rank}.pt', weights_only=True)


def kill(process):
    """SIGKILL for the run and everything it started (its own session)."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(condition, process, seconds=120):
    """Poll until the condition holds; False when the process ended before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    raise TimeoutError


def assert_same_weights(a, b):
    for name, value in a['weights'].items():
        assert torch.equal(value, b['weights'][name]), name


@pytest.mark.slow
@pytest.mark.parametrize('processes', [1, 2])
def test_killed_runs_end_alike(tmp_path, processes):
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    finish(start(whole, processes, **OPTIONS), whole)
    rng = random.Random(processes)

    # Once in the middle of writing, once between two iterations.
    for moment in ('saving', 'running'):
        process = start(cut, processes, **OPTIONS)
        before = {path.name for path in cut.glob('iter_*.pth')}
        assert wait_for(
            lambda before=before: {p.name for p in cut.glob('iter_*.pth')} - before, process
        )
        time.sleep(rng.uniform(0, 0.2))
        if moment == 'saving':
            assert wait_for(lambda: list(cut.glob('.*.pth.partial')), process)
        assert process.poll() is None
        kill(process)
    finish(start(cut, processes, **OPTIONS), cut)
    for rank in range(processes):
        assert_same_weights(result(whole, rank), result(cut, rank))
    seen = result(whole)['seen']
    continued = result(cut)['seen']
    assert continued == seen[len(seen) - len(continued) :]
    assert len(continued) < len(seen)
    assert not list(cut.glob('.*.partial'))


@pytest.mark.slow
def test_bad_sample_on_one_rank_is_skipped_on_all(tmp_path):
    options = {'epochs': 1, 'train_dataloader.dataset.nan': [7], 'log_level': 'INFO'}
    text = finish(start(tmp_path, 2, **options), tmp_path)
    assert 'step skipped on every rank (1 in a row): loss not finite on rank' in text
    assert 'image_7.jpg (sample 7)' in text
    first, second = result(tmp_path, 0), result(tmp_path, 1)
    assert_same_weights(first, second)
    assert all(torch.isfinite(value).all() for value in first['weights'].values())
