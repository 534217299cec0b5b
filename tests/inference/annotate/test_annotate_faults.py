# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels at scale: full disks, failing models and killed workers leave no trace."""

import errno
import json
import os
import subprocess
import sys

import pytest
from annotate_tasks import (
    DEADLY,
    FAILING,
    STUCK,
    annotate,
    final_files,
    inline_engine,
    settings_for,
    write_grey,
)

from sapiens_inference.annotate.attempts import Attempts, GivenUp
from sapiens_inference.annotate.engines import WorkerDied, local_engine, ray_engine
from sapiens_inference.annotate.plan import cut
from sapiens_inference.annotate.run import Run
from sapiens_inference.annotate.shards import TarWriter
from sapiens_inference.annotate.sources import Listing
from sapiens_inference.annotate.storage import Storage, StorageError


def test_full_disk_ends_the_run_and_the_next_start_goes_on(photos, tmp_path, monkeypatch):
    annotate(photos, tmp_path / 'good')
    add = TarWriter.add
    room = [30]

    def full(self, name, content):
        room[0] -= 1
        if room[0] < 0:
            raise OSError(errno.ENOSPC, 'No space left on device')
        add(self, name, content)

    monkeypatch.setattr(TarWriter, 'add', full)
    with pytest.raises(StorageError, match=r'000001.tar cannot be written \(No space left'):
        annotate(photos, tmp_path / 'out')
    assert not list((tmp_path / 'out/shards').glob('.*.partial'))
    assert sorted(p.name for p in (tmp_path / 'out/shards').glob('*.tar')) == ['000000.tar']
    monkeypatch.undo()
    annotate(photos, tmp_path / 'out')
    assert final_files(tmp_path / 'out') == final_files(tmp_path / 'good')


def test_vanished_input_ends_the_run_and_the_next_start_goes_on(photos, tmp_path):
    annotate(photos, tmp_path / 'good')
    settings = settings_for()
    run = Run(str(photos), str(tmp_path / 'out'), settings)
    options = {
        'settings': settings,
        'settings_id': run.settings_id,
        'output': run.storage.place,
        'tries': 1,
    }
    photos.rename(tmp_path / 'elsewhere')
    for _ in range(3):  # more often than there are tries
        with pytest.raises(
            StorageError, match=r'8 of 8 inputs are not there.*Is their storage gone'
        ):
            run.run(inline_engine(options), quiet=True)
    (tmp_path / 'elsewhere').rename(photos)
    annotate(photos, tmp_path / 'out')
    assert final_files(tmp_path / 'out') == final_files(tmp_path / 'good')


def test_a_failing_model_is_blamed_on_the_input_that_fails_alone(photos, tmp_path):
    write_grey(photos / '0010.png', FAILING)
    report = annotate(photos, tmp_path / 'out', tries=2)
    assert (report.total['done'], report.total['aside'], report.deaths) == (19, 1, 2)
    (aside,) = json.loads((tmp_path / 'out/shards/000001.json').read_text())['aside']
    assert aside['reason'] == 'RuntimeError: the model fails'
    assert not list((tmp_path / 'out/log/tries').iterdir())


def test_suspects_are_tried_one_by_one(tmp_path):
    """What :class:`Attempts` finds on disk after each death decides what the next worker does."""
    storage = Storage(str(tmp_path))

    def start():
        attempts = Attempts(storage, 3, tries=2)
        attempts.begin()
        return attempts

    assert not start().is_suspicious
    assert not start().is_suspicious
    third = start()
    assert third.is_suspicious
    third.accuse(0)
    third.accuse(1)  # dies here, and again
    fourth = start()
    assert (fourth.probed, fourth.deaths, fourth.aside) == (1, {'1': 1}, {})
    fourth.accuse(1)
    fifth = start()
    assert fifth.aside == {'1': 'the worker died 2 times on it alone'}
    fifth.acquit(4)
    assert start().probed == 4
    for _ in range(4):
        start()
    with pytest.raises(GivenUp, match='shard 3 was tried 10 times, and none of its inputs alone'):
        start()


def test_an_interrupted_attempt_by_full_storage_does_not_count(tmp_path):
    attempts = Attempts(Storage(str(tmp_path)), 0, tries=1)
    for _ in range(5):
        attempts.begin()
        assert not attempts.is_suspicious
        attempts.take_back()


@pytest.mark.slow
def test_ray_gives_the_same_shards(photos, tmp_path, monkeypatch):
    ray = pytest.importorskip('ray')
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(sys.path))  # actors find annotate_tasks there
    annotate(photos, tmp_path / 'local')
    try:
        annotate(photos, tmp_path / 'ray', engine=lambda options: ray_engine(options, 2))
    finally:
        ray.shutdown()
    assert final_files(tmp_path / 'ray') == final_files(tmp_path / 'local')


@pytest.mark.slow
def test_workers_that_die_or_hang_are_replaced(photos, tmp_path):
    write_grey(photos / '0004.png', DEADLY)
    report = annotate(photos, tmp_path / 'out', engine=lambda o: local_engine(o, 2), tries=1)
    assert (report.total['done'], report.total['aside'], report.deaths) == (19, 1, 2)
    (aside,) = json.loads((tmp_path / 'out/shards/000000.json').read_text())['aside']
    assert aside['reason'] == 'the worker died 1 times on it alone'
    write_grey(photos / '0004.png', STUCK)
    settings = settings_for()
    options = {'settings': settings, 'settings_id': '', 'output': str(tmp_path / 'stuck')}
    worker = local_engine(options).make(0)
    worker.start()
    shard = next(cut(Listing(str(photos), str(tmp_path / 'stuck')), 8))
    with pytest.raises(WorkerDied, match='no answer within 1 s; ended'):
        worker.annotate(shard, timeout=1)
    worker.close()
    with pytest.raises(WorkerDied, match='gone|closed'):
        worker.annotate(shard, timeout=1)


@pytest.mark.slow
def test_kills_leave_no_trace(tmp_path, root):
    """SIGKILL of workers and of the driver: nothing lost, doubled or different."""
    command = [sys.executable, str(root / 'tools/benchmarks/annotate_kills.py'), str(tmp_path)]
    command += ['--light', '--images', '240', '--kills', '5', '--per-shard', '8']
    command += ['--pause', '0.4', '--delay', '0.03', '--driver-share', '0.2']
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    result = json.loads((tmp_path / 'kills.json').read_text())
    assert result['kills'] == {'driver': 1, 'worker': 4}
    assert result['images'] == 240
