# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What goes wrong on one of two processes: both do the same about it, and end with equal weights."""

import multiprocessing

import pytest
import torch

pytestmark = pytest.mark.skipif(
    'forkserver' not in multiprocessing.get_all_start_methods(), reason='the processes are forked'
)


@pytest.fixture
def train_two(toy, tmp_path):
    """`train_two(**options)`: messages, error, seen samples and weights of both ranks of a toy run."""

    def train(**options):
        # Not forked from here: other tests leave threads, whose locks a fork would take along.
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload(['toy_job'])
        processes = [
            context.Process(target=toy.train_rank, args=(rank, tmp_path, options))
            for rank in range(2)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0, 0]
        results = [torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2)]
        first, second = (result['weights'] for result in results)
        for name, value in first.items():
            assert torch.equal(value, second[name]), name
            assert torch.isfinite(value).all(), name
        return results

    return train


def skips(result):
    return [message for message in result['messages'] if 'step skipped' in message]


def samples(values):
    return [f'image_{int(value)}.jpg (sample {int(value)})' for value in values]


def test_nan_loss_on_one_rank(train_two):
    results = train_two(epochs=1, **{'model.bad_loss': [2], 'model.bad_rank': 1})
    (mine,), (theirs,) = (skips(result) for result in results)
    assert mine == theirs
    assert 'step skipped on every rank (1 in a row): loss not finite on rank 1;' in mine
    # Named are the samples of the rank that had them, to both.
    assert mine.endswith(': ' + ', '.join(samples(results[1]['seen'][2])))


def test_infinite_gradient_on_one_rank(train_two):
    # The exchange of gradients carries it to every rank before anyone can tell whose it was.
    results = train_two(epochs=1, **{'model.bad_gradient': [2], 'model.bad_rank': 1})
    (mine,), (theirs,) = (skips(result) for result in results)
    assert mine == theirs
    assert 'step skipped on every rank (1 in a row): gradient norm is' in mine
    for result in results:
        assert all(name in mine for name in samples(result['seen'][2]))


def test_nan_in_one_sample(train_two):
    results = train_two(epochs=2, **{'train_dataloader.dataset.nan': [7]})
    assert skips(results[0]) == skips(results[1])
    assert len(skips(results[0])) == 2  # once an epoch, on whichever rank has it
    assert all('image_7.jpg (sample 7)' in message for message in skips(results[0]))


@pytest.mark.parametrize('kind', ['bad_loss', 'bad_gradient'])
def test_every_rank_stops_after_too_many(train_two, kind):
    options = {'optim_wrapper.max_skipped_steps': 2, 'model.bad_rank': 1}
    results = train_two(epochs=1, **{f'model.{kind}': [1, 2, 3]}, **options)
    assert results[0]['error'] == results[1]['error']
    assert results[0]['error'].startswith('FloatingPointError: step skipped on every rank (3 in a')
    assert 'More than max_skipped_steps=2' in results[0]['error']
    assert len(results[0]['seen']) == len(results[1]['seen']) == 4


def test_unreadable_sample_on_one_rank(train_two):
    results = train_two(epochs=1, **{'train_dataloader.dataset.broken': [7]})
    seen = [value for result in results for batch in result['seen'] for value in batch]
    assert 7.0 not in seen
    assert len(results[0]['seen']) == len(results[1]['seen'])
    reports = [[m for m in result['messages'] if 'could not be read' in m] for result in results]
    assert reports[0] == reports[1]  # also the rank that never met it
    assert '1 of 22 training samples could not be read' in reports[0][0]
    assert 'image_7.jpg (sample 7): ValueError: image_7.jpg is truncated' in reports[0][0]


def test_too_many_unreadable_samples_stop_both(train_two):
    options = {'train_dataloader.dataset.broken': [1, 2, 3], 'bad_samples.max_share': 0.1}
    results = train_two(epochs=1, **options)
    assert all('training samples are broken' in result['error'] for result in results)
