# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A checkpoint is complete or not there; the newest complete one is found."""

import errno
import os

import pytest
import torch

from sapiens_common.files import atomic
from sapiens_train import checkpoint_files as files


def resumable(iteration, epoch=0):
    return {
        'meta': {'iter': iteration, 'epoch': epoch},
        'state_dict': {'w': torch.full((64,), float(iteration))},
        'optimizer': {},
        'message_hub': {},
    }


def test_newest_complete_checkpoint(tmp_path):
    assert files.find_newest_checkpoint(tmp_path) is None
    files.save_checkpoint_file(resumable(2), tmp_path / 'iter_2.pth')
    files.save_checkpoint_file(resumable(10), tmp_path / 'iter_10.pth')
    files.save_checkpoint_file(resumable(8, 2), tmp_path / 'epoch_2.pth')
    files.save_checkpoint_file(resumable(99), tmp_path / 'best_acc_epoch_9.pth')
    assert files.find_newest_checkpoint(tmp_path).name == 'iter_10.pth'
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'iter_2.pth'))  # behind the truth
    content = (tmp_path / 'iter_10.pth').read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 1):
        (tmp_path / 'iter_12.pth').write_bytes(content[:size])
        assert files.find_newest_checkpoint(tmp_path).name == 'iter_10.pth'
    torch.save({'state_dict': {}, 'meta': {}}, tmp_path / 'epoch_44.pth')  # weights only
    assert files.find_newest_checkpoint(tmp_path).name == 'iter_10.pth'


def test_nothing_but_torn_files_is_an_error(tmp_path):
    (tmp_path / 'iter_12.pth').write_bytes(b'PK half')
    with pytest.raises(ValueError, match=r'no checkpoint can be resumed from, iter_12\.pth'):
        files.find_newest_checkpoint(tmp_path)


def test_epoch_and_iteration_at_the_same_place(tmp_path):
    files.save_checkpoint_file(resumable(11, 0), tmp_path / 'iter_11.pth')
    files.save_checkpoint_file(resumable(11, 1), tmp_path / 'epoch_1.pth')
    assert files.find_newest_checkpoint(tmp_path).name == 'epoch_1.pth'


def test_failed_write_leaves_the_previous_file(tmp_path, monkeypatch):
    path = tmp_path / 'iter_1.pth'
    files.save_checkpoint_file(resumable(1), path)
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr('os.fsync', full)
    with pytest.raises(OSError, match='No space left on device.*Is the disk full') as error:
        files.save_checkpoint_file(resumable(2), path)
    assert 'earlier checkpoints are untouched' in str(error.value)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ['iter_1.pth']


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_torch_errors_of_a_full_disk(tmp_path, monkeypatch):
    # torch.save hides the system's error behind a RuntimeError of its own.
    real_open = open
    monkeypatch.setattr(
        atomic, 'open', lambda path, mode: real_open('/dev/full', mode, buffering=0), raising=False
    )
    with pytest.raises(OSError, match='could not be written'):
        files.save_checkpoint_file(resumable(1), tmp_path / 'iter_1.pth')
    assert os.listdir(tmp_path) == []


def test_what_a_kill_leaves_is_removed(tmp_path):
    (tmp_path / '.iter_3.pth.partial').write_bytes(b'half')
    (tmp_path / 'notes.partial').write_text('mine')
    assert files.find_newest_checkpoint(tmp_path) is None
    files.remove_partial_files(tmp_path)
    assert os.listdir(tmp_path) == ['notes.partial']


def test_training_survives_a_full_disk(toy, train, tmp_path, monkeypatch):
    # The checkpoints of iterations 2 and 3 fail, the run goes on and saves the fourth.
    options = {'epochs': 1, 'train_dataloader.dataset.count': 10}
    options['checkpoint'] = {'interval': 1, 'by_epoch': False, 'max_keep_ckpts': 1}
    write, calls = files.save_checkpoint_file, []

    def flaky(content, path):
        calls.append(os.path.basename(path))
        if len(calls) in (2, 3):
            raise OSError(f'{path} could not be written')
        write(content, path)

    monkeypatch.setattr('sapiens_train.runner.save_checkpoint_file', flaky)
    runner = train(toy.make_config(tmp_path, **options), stop_after=3)
    errors = [message for message in runner.messages if 'checkpoint not saved' in message]
    assert len(errors) == 2
    assert 'a restart would continue from' in errors[0] and 'iter_1.pth' in errors[0]
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_1.pth']
    assert (tmp_path / 'last_checkpoint').read_text().endswith('iter_1.pth')
    resumed = train(toy.make_config(tmp_path, resume=True, **options))
    assert len(resumed.model.seen) == 4
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_5.pth']


def test_full_disk_at_the_end_is_an_error(toy, train, tmp_path, monkeypatch):
    def fail(content, path):
        raise OSError(f'{path} could not be written')

    monkeypatch.setattr('sapiens_train.runner.save_checkpoint_file', fail)
    checkpoint = {'interval': 1, 'by_epoch': True}
    with pytest.raises(OSError, match=r'epoch_1\.pth could not be written'):
        train(toy.make_config(tmp_path, epochs=1, checkpoint=checkpoint))


def test_best_checkpoint_replaces_the_one_before(toy, train, tmp_path, monkeypatch):
    monkeypatch.setattr(toy.ToyMetric, 'calls', 0)
    checkpoint = {'interval': 1, 'by_epoch': True, 'max_keep_ckpts': 1, 'save_best': 'acc'}
    removed = []
    from sapiens_train.hooks import SafeCheckpointHook

    real = SafeCheckpointHook._remove

    def watch(self, path):
        removed.append((os.path.basename(path), sorted(p.name for p in tmp_path.glob('*.pth'))))
        real(self, path)

    monkeypatch.setattr(SafeCheckpointHook, '_remove', watch)
    train(toy.make_config(tmp_path, epochs=2, val=True, checkpoint=checkpoint))
    names = sorted(path.name for path in tmp_path.glob('*.pth'))
    assert names == ['best_acc_epoch_2.pth', 'epoch_2.pth']
    # When an old file goes, its successor is already there.
    assert ('epoch_1.pth', ['best_acc_epoch_1.pth', 'epoch_1.pth', 'epoch_2.pth']) in removed
    best = ['best_acc_epoch_1.pth', 'best_acc_epoch_2.pth', 'epoch_2.pth']
    assert ('best_acc_epoch_1.pth', best) in removed


@pytest.mark.parametrize('metrics', ['acc', ['acc', 'other']])
def test_training_survives_a_full_disk_at_the_best_checkpoint(
    toy, train, tmp_path, monkeypatch, metrics
):
    write = files.save_checkpoint_file
    monkeypatch.setattr(
        toy.ToyMetric,
        'compute_metrics',
        lambda self, results: dict.fromkeys(['acc', 'other'], next(scores)),
    )
    scores = iter([0.1, 0.5, 0.3])

    def flaky(content, path):
        if 'best_acc_epoch_2' in str(path):
            raise OSError(f'{path} could not be written')
        write(content, path)

    monkeypatch.setattr('sapiens_train.runner.save_checkpoint_file', flaky)
    checkpoint = {'interval': 1, 'by_epoch': True, 'max_keep_ckpts': 1, 'save_best': metrics}
    options = {'val': True, 'checkpoint': {**checkpoint, 'rule': 'greater'}}
    runner = train(toy.make_config(tmp_path, epochs=3, **options))
    assert len([text for text in runner.messages if 'best checkpoint not saved' in text]) == 1
    # The third is better than the best that was saved.
    best = sorted(path.name for path in tmp_path.glob('best_*.pth'))
    names = [metrics] if isinstance(metrics, str) else metrics
    assert best == [f'best_{name}_epoch_3.pth' for name in names]
    assert 0.3 in runner.message_hub.runtime_info.values()


def test_full_disk_at_the_last_best_checkpoint_is_an_error(toy, train, tmp_path, monkeypatch):
    write = files.save_checkpoint_file

    def flaky(content, path):
        if 'best_' in str(path):
            raise OSError(f'{path} could not be written')
        write(content, path)

    monkeypatch.setattr('sapiens_train.runner.save_checkpoint_file', flaky)
    checkpoint = {'interval': 1, 'by_epoch': True, 'save_best': 'acc'}
    with pytest.raises(OSError, match=r'best_acc_epoch_1\.pth could not be written'):
        train(toy.make_config(tmp_path, epochs=1, val=True, checkpoint=checkpoint))
