# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Data parallel, sharded, killed and resumed runs of two ranks end with the same weights, bit for bit;
a sharded checkpoint loads at another number of ranks."""

import shutil
import signal

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, RUNNERS
from old_torch import needs_fsdp2

from sapiens_common.sharded_files import read_whole_checkpoint
from sapiens_pretrain.models.sapiens2 import Sapiens2ViT
from sapiens_train.sharded import shard_model


def assert_identical(a, b):
    assert a.keys() == b.keys()
    different = [name for name in a if not torch.equal(a[name], b[name])]
    assert different == []


@pytest.fixture(scope='module')
def plain(tmp_path_factory, pictures, mae_job):
    """Folder and weights of an undisturbed data parallel run of two ranks, 4 iterations."""
    folder = tmp_path_factory.mktemp('plain')
    assert mae_job.run_two_ranks(folder, pictures, 'plain') == [0, 0]
    return folder / 'plain', torch.load(folder / 'plain.pt')['plain']


def test_two_ranks_killed_within_an_epoch(tmp_path, pictures, mae_job, plain):
    # 13 images in steps of 2 x 2: iteration 3 is within the first pass, and the rest goes beyond it.
    assert mae_job.run_two_ranks(tmp_path, pictures, 'killed') == [-signal.SIGKILL] * 2
    assert [path.name for path in (tmp_path / 'killed').glob('*.pth')] == ['iter_2.pth']
    assert mae_job.run_two_ranks(tmp_path, pictures, 'resumed') == [0, 0]
    assert_identical(torch.load(tmp_path / 'resumed.pt')['resumed'], plain[1])


@needs_fsdp2
def test_two_sharded_ranks(tmp_path, pictures, mae_job, plain, request):
    assert mae_job.run_two_ranks(tmp_path, pictures, 'sharded') == [0, 0]
    found = torch.load(tmp_path / 'sharded.pt')
    assert_identical(found['whole'], plain[1])
    assert_identical(found['sharded'], found['whole'])
    assert (tmp_path / 'whole/reconstructions/iter_3.png').is_file()

    request.getfixturevalue('alone')  # only now: forked ranks must not inherit a process group
    sharded, whole = tmp_path / 'sharded', plain[0] / 'iter_4.pth'
    assert_identical(read_whole_checkpoint(sharded / 'iter_4.pth').state_dict, found['whole'])
    assert_identical(read_whole_checkpoint(whole).state_dict, plain[1])
    options = {'train_dataloader.batch_size': 4, 'resume': True}
    loaded = mae_job.train(sharded, pictures, sharded=True, **options)
    assert loaded.iter == 4
    assert_identical(mae_job.weights(loaded), found['whole'])
    one = mae_job.train(sharded, pictures, sharded=True, stop=5, **options)
    step = one.optim_wrapper.optimizer.state_dict()['state'][0]['step']
    assert (one.iter, int(step)) == (5, 5)

    # A whole checkpoint starts a sharded run, and cannot be resumed by one.
    options = {'load_from': str(whole), 'optim_wrapper.optimizer.lr': 0.0}
    started = mae_job.train(tmp_path / 'new', pictures, sharded=True, stop=1, **options)
    assert_identical(mae_job.weights(started), plain[1])
    with pytest.raises(ValueError, match='was not written by a sharded run'):
        mae_job.train(plain[0], pictures, sharded=True, resume=True, stop=5)
    # A deleted checkpoint takes its shards with it at the next save; half-written ones go too.
    (sharded / 'iter_2.pth').unlink()
    (sharded / '.iter_8.shards.partial').mkdir()
    one.save_checkpoint(str(sharded), 'iter_5.pth', by_epoch=False)
    assert not (sharded / 'iter_2.shards').exists()
    assert not (sharded / '.iter_8.shards.partial').exists()
    shutil.rmtree(sharded)


@needs_fsdp2
def test_needs_processes(tmp_path, pictures, mae_job):
    config = mae_job.make_config(tmp_path, pictures, runner_type='sapiens_train.ShardedRunner')
    with pytest.raises(ValueError, match='start it with tools/dist_train.sh'):
        RUNNERS.build(config)


@needs_fsdp2
def test_blocks_are_checked(alone):
    model = MODELS.build(dict(type='sapiens_pretrain.SapiensViT', arch='tiny', img_size=(64, 48)))
    with pytest.raises(ValueError, match=r"'backbone.layers' is not a module list of SapiensViT"):
        shard_model(model)


@pytest.mark.parametrize('size', ['1b', '2b'])
def test_recipes(root, size):
    from mmengine.config import Config

    config = Config.fromfile(root / f'configs/pretrain/sapiens_{size}_humans300m_fsdp.py')
    assert config.runner_type == 'sapiens_train.ShardedRunner'
    with torch.device('meta'):
        model = MODELS.build(config.model)
    lists = dict(model.named_modules())
    assert all(isinstance(lists[name], torch.nn.ModuleList) for name in config.sharding.blocks)


@needs_fsdp2
def test_a_full_disk_is_an_os_error_and_no_rank_waits(
    alone, tmp_path, pictures, mae_job, monkeypatch
):
    from sapiens_train import sharded

    runner = mae_job.train(tmp_path / 'run', pictures, sharded=True, stop=1)
    barriers = []
    monkeypatch.setattr(sharded.dist, 'barrier', lambda: barriers.append(1))

    def full(*args, **kwargs):
        raise OSError('No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(sharded, 'save_checkpoint_file', full)
        with pytest.raises(OSError, match='No space left'):
            runner.save_checkpoint(str(tmp_path), 'iter_1.pth', by_epoch=False)
    assert len(barriers) == 2
    (tmp_path / '.iter_2.shards.partial').write_text('in the way of the folder')
    monkeypatch.setattr(sharded.shutil, 'rmtree', lambda *args, **kwargs: None)
    with pytest.raises(OSError, match=r'iter_2\.pth could not be written'):
        runner.save_checkpoint(str(tmp_path), 'iter_2.pth', by_epoch=False)


@needs_fsdp2
def test_encoders_of_sapiens2_are_split_by_their_recipe(alone, root):
    """The strategy of the recipes finds the blocks; the split encoder gives the same gradients."""
    sharding = Config.fromfile(root / 'configs/pretrain/sapiens2_5b_humans1b.py').sharding
    arch = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=64)
    model = torch.nn.Module()
    model.backbone = Sapiens2ViT(arch={**arch, 'num_tokenizer_layers': 1}, img_size=64)
    model.backbone.init_weights()
    images = torch.randn(1, 3, 64, 64)

    def gradients():
        model.zero_grad()
        model.backbone(images)[0].square().sum().backward()
        grads = {name: p.grad for name, p in model.named_parameters()}
        return {n: g.full_tensor() if hasattr(g, 'full_tensor') else g for n, g in grads.items()}

    whole = {name: gradient.clone() for name, gradient in gradients().items()}
    shard_model(model, **{**sharding, 'param_dtype': None})
    assert all(hasattr(block, 'unshard') for block in model.backbone.blocks)
    for name, gradient in gradients().items():
        torch.testing.assert_close(gradient, whole[name])
