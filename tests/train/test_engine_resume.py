# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Resuming continues at the next iteration, bit for bit, wherever the checkpoint was written."""

import pytest
import torch
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from sapiens_common.unpickling import load_data


def flat(batches):
    return [value for batch in batches for value in batch]


def weights(runner):
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name


@pytest.mark.parametrize(
    ('loop', 'stop'), [('epoch', 4), ('epoch', 11), ('epoch', 16), ('iter', 4), ('iter', 22)]
)
def test_resume_is_bit_identical(toy, train, tmp_path, loop, stop):
    # 22 samples in batches of 2: 11 iterations per epoch, so 4 and 16 lie inside one.
    options = {'iters': 33} if loop == 'iter' else {'epochs': 3}
    options['checkpoint'] = {'interval': 1, 'by_epoch': False, 'max_keep_ckpts': 2}
    whole = train(toy.make_config(tmp_path / 'whole', **options))
    train(toy.make_config(tmp_path / 'cut', **options), stop_after=stop)
    resumed = train(toy.make_config(tmp_path / 'cut', resume=True, workers=2, **options))
    assert_same(weights(whole), weights(resumed))
    assert whole.model.seen[stop:] == resumed.model.seen
    assert resumed.iter == 33


def test_resume_from_epoch_checkpoints(toy, train, tmp_path):
    checkpoint = {'interval': 1, 'by_epoch': True, 'max_keep_ckpts': 2}
    whole = train(toy.make_config(tmp_path / 'whole', checkpoint=checkpoint))
    train(toy.make_config(tmp_path / 'cut', checkpoint=checkpoint), stop_after=17)
    resumed = train(toy.make_config(tmp_path / 'cut', checkpoint=checkpoint, resume=True))
    assert_same(weights(whole), weights(resumed))
    assert resumed.model.seen == whole.model.seen[11:]
    names = {path.name for path in (tmp_path / 'cut').glob('*.pth')}
    assert names == {'epoch_2.pth', 'epoch_3.pth'}
    assert (tmp_path / 'cut/last_checkpoint').read_text().endswith('epoch_3.pth')


@pytest.mark.parametrize('workers', [1, 3])
def test_workers_do_not_matter(toy, train, tmp_path, workers):
    none = train(toy.make_config(tmp_path / 'none'))
    some = train(
        toy.make_config(
            tmp_path / 'some',
            workers=workers,
            **{'train_dataloader.persistent_workers': True, 'train_dataloader.dataset.refetch': []},
        )
    )
    assert_same(weights(none), weights(some))
    assert none.model.seen == some.model.seen
    other = train(toy.make_config(tmp_path / 'other', **{'randomness.seed': 1}))
    assert none.model.seen != other.model.seen


def test_finite_sampler_in_the_iteration_loop(toy, train, tmp_path):
    options = {'iters': 30, 'train_dataloader.sampler.type': 'DefaultSampler'}
    options['checkpoint'] = {'interval': 5, 'by_epoch': False}
    whole = train(toy.make_config(tmp_path / 'whole', **options))
    epochs = [flat(whole.model.seen[start : start + 11]) for start in (0, 11)]
    assert all(sorted(epoch) == [float(i) for i in range(22)] for epoch in epochs)
    assert epochs[0] != epochs[1]
    train(toy.make_config(tmp_path / 'cut', **options), stop_after=17)
    resumed = train(toy.make_config(tmp_path / 'cut', resume=True, **options))
    assert_same(weights(whole), weights(resumed))
    assert resumed.model.seen == whole.model.seen[15:]


def test_pending_validation_is_made_up(toy, build, train, tmp_path):
    # Killed between the checkpoint of an epoch and its validation.
    options = {'val': True, 'epochs': 2}
    options['checkpoint'] = {'interval': 1, 'by_epoch': True, 'save_best': 'acc'}
    config = toy.make_config(tmp_path, **options)
    runner = build(config)
    runner._val_loop = runner.build_val_loop(runner._val_loop)

    def killed():
        raise KeyboardInterrupt

    runner._val_loop.run = killed
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert not list(tmp_path.glob('best_*'))
    resumed = train(toy.make_config(tmp_path, resume=True, **options))
    assert resumed.model.seen and len(resumed.model.seen) == 11
    (best,) = tmp_path.glob('best_*')
    assert best.name == 'best_acc_epoch_2.pth'


def test_other_batch_size_continues_on_unread_samples(toy, train, tmp_path):
    checkpoint = {'interval': 1, 'by_epoch': False}
    train(toy.make_config(tmp_path, epochs=1, checkpoint=checkpoint), stop_after=4)
    whole = train(toy.make_config(tmp_path / 'whole', epochs=1))
    resumed = train(toy.make_config(tmp_path, epochs=1, batch=4, resume=True))
    assert flat(resumed.model.seen) == flat(whole.model.seen)[8:]


def test_checkpoint_of_another_runner(toy, train, tmp_path):
    # Without our progress in the metadata the position follows from the counters.
    checkpoint = {'interval': 1, 'by_epoch': False}
    whole = train(toy.make_config(tmp_path / 'whole', epochs=1))
    runner = train(toy.make_config(tmp_path, epochs=1, checkpoint=checkpoint), stop_after=5)
    path = tmp_path / 'iter_5.pth'
    content, _ = load_data(path)
    del content['meta']['samples_in_epoch']
    torch.save(content, path)
    resumed = train(toy.make_config(tmp_path, epochs=1, resume=True))
    assert_same(weights(whole), weights(resumed))
    content['meta']['iter'] = 400
    torch.save(content, path)
    resumed = train(toy.make_config(tmp_path, epochs=2, load_from=str(path), resume=True))
    assert len(resumed.model.seen) == 22
    assert runner.iter == 5


def test_a_first_start_loads_and_later_ones_resume(toy, train, tmp_path):
    options = {'epochs': 1, 'checkpoint': {'interval': 1, 'by_epoch': False}}
    options['custom_hooks'] = [{'type': 'EMAHook', 'momentum': 0.01}]
    train(toy.make_config(tmp_path / 'before', **options))
    start = tmp_path / 'before/iter_11.pth'
    options |= {'resume': True, 'start_from': str(start), 'optim_wrapper.optimizer.lr': 0.0}
    first = train(toy.make_config(tmp_path / 'run', **options), stop_after=3)
    # Nothing is learnt at this rate: the run still has the weights it started with, the averaged ones.
    assert_same(load_data(start)[0]['state_dict'], weights(first))
    assert len(train(toy.make_config(tmp_path / 'run', **options)).model.seen) == 8


def test_checkpoints_that_cannot_be_looked_through(toy, build, tmp_path):
    checkpoint = {'interval': 1, 'out_dir': 's3://runs/mine'}
    runner = build(toy.make_config(tmp_path, resume=True, checkpoint=checkpoint))
    with pytest.raises(
        ValueError, match='finds no checkpoints under s3://runs/mine: copy the newest'
    ):
        runner.load_or_resume()


def test_averaged_weights_of_a_published_file(toy, build, tmp_path):
    # Sapiens2's published files call the output layer of normals conv_normal.
    block = nn.ModuleDict({'attn': nn.ModuleDict({'wq': nn.Linear(2, 2)})})
    encoder = nn.ModuleDict({'blocks': nn.ModuleList([block])})
    head = nn.ModuleDict({'conv_seg': nn.Linear(2, 3)})
    runner = build(toy.make_config(tmp_path, custom_hooks=[{'type': 'EMAHook'}]))
    runner.model = nn.ModuleDict({'backbone': encoder, 'decode_head': head})
    runner.call_hook('before_run')
    file = {name: torch.randn_like(value) for name, value in weights(runner).items()}
    published = {name.replace('conv_seg', 'conv_normal'): value for name, value in file.items()}
    torch.save(published, tmp_path / 'published.pth')
    runner.load_checkpoint(str(tmp_path / 'published.pth'))
    assert_same(file, weights(runner))
    runner.call_hook('before_test_epoch')  # brings in the averaged ones
    assert_same(file, weights(runner))


@pytest.mark.parametrize(
    ('kind', 'built'),
    [
        ('EpochBasedTrainLoop', 'ResumableEpochLoop'),
        ('mmengine.IterBasedTrainLoop', 'ResumableIterLoop'),
        (EpochBasedTrainLoop, 'ResumableEpochLoop'),
    ],
)
def test_upstream_loop_types_become_resumable(toy, build, tmp_path, kind, built):
    runner = build(toy.make_config(tmp_path))
    limit = {'max_epochs': 2} if built == 'ResumableEpochLoop' else {'max_iters': 22}
    loop = runner.build_train_loop({'type': kind, **limit})
    assert type(loop).__name__ == built
    assert loop.max_iters == 22
    assert not runner.messages


def test_a_foreign_loop_is_named(toy, train, tmp_path):
    @LOOPS.register_module(force=True)
    class MyLoop(EpochBasedTrainLoop):
        pass

    config = toy.make_config(tmp_path)
    config.train_cfg = {'type': 'MyLoop', 'max_epochs': 1}
    runner = train(config)
    assert any('is not exact with this loop' in message for message in runner.messages)
