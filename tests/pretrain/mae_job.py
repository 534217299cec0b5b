# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A small masked-pretraining run of the shipped recipe: as a config, and on two ranks."""

import multiprocessing
import os
import signal
import socket
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

ROOT = Path(__file__).resolve().parents[2]
ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
DECODER = dict(decoder_embed_dims=16, decoder_depth=1, decoder_num_heads=2)
SIZE = (64, 48)


def make_config(work_dir, images, name='sapiens_tiny_images', **options):
    """The recipe in a size that trains in milliseconds."""
    from mmengine.config import Config

    config = Config.fromfile(ROOT / f'configs/pretrain/{name}.py')
    config.merge_from_dict(
        {
            'work_dir': str(work_dir),
            'launcher': 'none',
            'model.backbone.img_size': SIZE,
            'model.backbone.with_cp': True,
            'model.neck': dict(embed_dims=16, img_size=SIZE, with_cp=False, **DECODER),
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': 1,
            'train_dataloader.dataset.images': str(images),
            'train_cfg.max_iters': 6,
            'default_hooks.checkpoint.interval': 2,
            'default_hooks.checkpoint.max_keep_ckpts': 5,
            'default_hooks.logger.interval': 1,
            'custom_hooks': [],
            'optim_wrapper.dtype': 'float32',
            'optim_wrapper.optimizer.lr': 1e-2,
            'auto_scale_lr.enable': False,
            'bad_samples': dict(max_share=0.5),
            **options,
        }
    )
    config.model.backbone.arch = ARCH
    config.train_dataloader.dataset.pipeline[0].size = SIZE
    return config


@HOOKS.register_module(force=True)
class DieHook(Hook):
    """Ends the process as a power failure would, after some iterations."""

    def __init__(self, after):
        self.after = after

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.after:
            os.kill(os.getpid(), signal.SIGKILL)


def train(work_dir, images, sharded=False, stop=4, hooks=(), **options):
    """Train on all ranks; returns the runner."""
    from mmengine.registry import RUNNERS

    config = make_config(work_dir, images, launcher='pytorch', **options)
    config.experiment_name = Path(work_dir).name
    config.train_cfg.max_iters = stop
    config.custom_hooks = list(hooks)
    if sharded:
        config.runner_type = 'sapiens_train.ShardedRunner'
        config.sharding = dict(blocks=('backbone.layers', 'neck.decoder_blocks'))
    runner = RUNNERS.build(config)
    runner.train()
    return runner


def weights(runner):
    """Whole weights of a run, sharded or not."""
    state = runner._unwrapped_model().state_dict()
    return {k: v.full_tensor() if hasattr(v, 'full_tensor') else v for k, v in state.items()}


def run_rank(rank, port, folder, images, job):
    """One of two ranks; the jobs leave their results in ``folder``."""
    from runs.dist import init_process_group

    place = {'RANK': rank, 'LOCAL_RANK': rank, 'WORLD_SIZE': 2, 'LOCAL_WORLD_SIZE': 2}
    place |= {'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port}
    os.environ.update({name: str(value) for name, value in place.items()})
    torch.set_num_threads(1)
    init_process_group('pytorch')
    results = {}
    if job == 'plain':
        results['plain'] = weights(train(folder / 'plain', images))
    elif job == 'killed':
        train(folder / 'killed', images, hooks=[dict(type='DieHook', after=3)])
    elif job == 'resumed':
        results['resumed'] = weights(train(folder / 'killed', images, resume=True))
    else:
        picture = dict(type='sapiens_pretrain.ReconstructionHook', interval=3, num_images=1)
        picture['ratios'] = (0.75, 0.9)  # of 12 patches
        results['whole'] = weights(train(folder / 'whole', images, sharded=True, hooks=[picture]))
        train(folder / 'sharded', images, sharded=True, stop=2)
        results['sharded'] = weights(train(folder / 'sharded', images, sharded=True, resume=True))
    if rank == 0:
        torch.save(results, folder / f'{job}.pt')
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def run_two_ranks(folder, images, job):
    """Run a job on two forked processes, which need not import anything again; their exit codes."""
    import mmpretrain.models  # noqa: F401  (the registry would import it in every process)

    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context('fork')
    ranks = [
        context.Process(target=run_rank, args=(rank, port, folder, images, job)) for rank in (0, 1)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(120)
    for rank in ranks:
        rank.kill()
    return [rank.exitcode for rank in ranks]
