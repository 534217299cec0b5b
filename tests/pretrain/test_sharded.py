# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Data parallel, sharded, killed and resumed runs of two ranks end with the same weights, bit for bit;
a sharded checkpoint loads at another number of ranks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, RUNNERS
from torch import distributed as dist

from sapiens_common.engine.sharded import read_whole_checkpoint, shard_model

JOB = Path(__file__).with_name('mae_job.py')


def launch(folder, images, job):
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    return subprocess.run(
        [*command, str(JOB), str(folder), str(images), job],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=300,
    )


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A process group of one rank in this process."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    dist.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def assert_identical(a, b):
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert different == []


@pytest.mark.slow
def test_two_ranks(tmp_path, pictures, mae_job, alone):
    first = launch(tmp_path, pictures, 'first')
    assert 'SIGKILL' in first.stderr, first.stderr[-3000:]  # the last job of it
    found = torch.load(tmp_path / 'first.pt')
    assert_identical(found['plain'], found['whole'])
    assert_identical(found['whole'], found['sharded'])
    assert (tmp_path / 'whole/reconstructions/iter_3.png').is_file()

    kept = sorted(path.name for path in (tmp_path / 'killed').glob('*.pth'))
    assert kept == ['iter_2.pth', 'iter_4.pth']
    second = launch(tmp_path, pictures, 'second')
    assert second.returncode == 0, second.stderr[-3000:]
    killed = torch.load(tmp_path / 'second.pt')['killed']
    assert_identical(found['plain'], killed)

    sharded = tmp_path / 'sharded'
    assert_identical(read_whole_checkpoint(sharded / 'iter_6.pth').state_dict, found['whole'])
    plain = read_whole_checkpoint(tmp_path / 'plain' / 'iter_6.pth').state_dict
    assert_identical(plain, found['plain'])
    options = {'train_dataloader.batch_size': 4, 'resume': True}
    loaded = mae_job.train(sharded, pictures, sharded=True, **options)
    assert loaded.iter == 6
    assert_identical(mae_job.weights(loaded), found['whole'])
    one = mae_job.train(sharded, pictures, sharded=True, stop=7, **options)
    step = one.optim_wrapper.optimizer.state_dict()['state'][0]['step']
    assert (one.iter, int(step)) == (7, 7)

    # A whole checkpoint starts a sharded run, and cannot be resumed by one.
    options = {
        'load_from': str(tmp_path / 'plain' / 'iter_6.pth'),
        'optim_wrapper.optimizer.lr': 0.0,
    }
    started = mae_job.train(tmp_path / 'new', pictures, sharded=True, stop=1, **options)
    assert_identical(mae_job.weights(started), found['plain'])
    with pytest.raises(ValueError, match='was not written by a sharded run'):
        mae_job.train(tmp_path / 'new', pictures, sharded=True, resume=True, **options)
    # A deleted checkpoint takes its shards with it at the next save; half-written ones go too.
    (sharded / 'iter_2.pth').unlink()
    (sharded / '.iter_8.shards.partial').mkdir()
    one.save_checkpoint(str(sharded), 'iter_7.pth', by_epoch=False)
    assert not (sharded / 'iter_2.shards').exists()
    assert not (sharded / '.iter_8.shards.partial').exists()
    shutil.rmtree(sharded)


def test_needs_processes(tmp_path, pictures, mae_job):
    config = mae_job.make_config(tmp_path, pictures, runner_type='sapiens_common.ShardedRunner')
    with pytest.raises(ValueError, match='start it with tools/dist_train.sh'):
        RUNNERS.build(config)


def test_blocks_are_checked(alone):
    model = MODELS.build(dict(type='sapiens_pretrain.SapiensViT', arch='tiny', img_size=(64, 48)))
    with pytest.raises(ValueError, match=r"'backbone.layers' is no module list of SapiensViT"):
        shard_model(model)


@pytest.mark.parametrize('size', ['1b', '2b'])
def test_recipes(root, size):
    from mmengine.config import Config

    config = Config.fromfile(root / f'configs/pretrain/sapiens_{size}_humans300m_fsdp.py')
    assert config.runner_type == 'sapiens_common.ShardedRunner'
    with torch.device('meta'):
        model = MODELS.build(config.model)
    lists = dict(model.named_modules())
    assert all(isinstance(lists[name], torch.nn.ModuleList) for name in config.sharding.blocks)
