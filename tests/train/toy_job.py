# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A small training run with all that makes resuming hard: random crops, dropout, several workers.

Used as a module by the tests and as a program by those that kill it.
"""

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info, get_rank
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, METRICS, MODELS, TRANSFORMS
from torch import nn

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ('common', 'tools')]


@TRANSFORMS.register_module(force=True)
class ToyAugment:
    """Draws from all three global generators."""

    def __call__(self, results):
        value = np.full(4, results['value'], np.float32)
        value += np.random.rand(4).astype(np.float32)
        value *= random.uniform(0.9, 1.1)
        inputs = torch.from_numpy(value) + 0.1 * torch.rand(4)
        return {'inputs': inputs, 'data_samples': results['value']}


@DATASETS.register_module(force=True)
class ToyDataset(BaseDataset):
    """``count`` numbers; those in ``broken`` cannot be read, those in ``refetch`` give None."""

    def __init__(self, count=22, broken=(), refetch=(), nan=(), **kwargs):
        self.count, self.broken = count, set(broken)
        self.refetch, self.nan = set(refetch), set(nan)
        super().__init__(pipeline=[{'type': 'ToyAugment'}], **kwargs)

    def load_data_list(self):
        return [{'value': float(i), 'img_path': f'image_{i}.jpg'} for i in range(self.count)]

    def prepare_data(self, idx):
        if idx in self.broken:
            raise ValueError(f'image_{idx}.jpg is truncated')
        if idx in self.refetch:
            return None
        sample = super().prepare_data(idx)
        if idx in self.nan:
            sample['inputs'] = sample['inputs'] * float('nan')
        return sample


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    """Regression with dropout; ``slow`` seconds per step leave time to be killed.

    At the iterations ``bad_loss`` and ``bad_gradient`` these are not finite, on ``bad_rank`` or on all.
    """

    def __init__(self, slow=0.0, bad_loss=(), bad_gradient=(), bad_rank=None):
        super().__init__()
        self.bad_rank = bad_rank
        self.slow, self.bad_loss, self.bad_gradient = slow, set(bad_loss), set(bad_gradient)
        self.net = nn.Sequential(nn.Linear(4, 16), nn.SiLU(), nn.Dropout(0.3), nn.Linear(16, 1))
        self.seen = []

    def forward(self, inputs, data_samples=None, mode='tensor'):
        batch = torch.stack(inputs)
        if mode == 'predict':
            return [{'value': 0.0} for _ in inputs]
        if self.slow:
            time.sleep(self.slow)
        self.seen.append([float(value) for value in data_samples])
        loss = (self.net(batch)[:, 0] - torch.tensor(data_samples)).square().mean()
        return {'loss': self.spoil(loss)}

    def spoil(self, loss):
        """Make the loss, or only its gradient, non-finite at the configured iterations."""
        if self.bad_rank not in (None, get_rank()):
            return loss
        step = len(self.seen) - 1
        if step in self.bad_gradient:
            loss = _BadGradient.apply(loss)
        return loss * float('nan') if step in self.bad_loss else loss


class _BadGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * float('inf')


@METRICS.register_module(force=True)
class ToyMetric(BaseMetric):
    """A score that rises with every validation."""

    calls = 0

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        type(self).calls += 1
        return {'acc': float(self.calls)}


def make_config(
    work_dir, epochs=3, iters=0, batch=2, workers=0, checkpoint=None, val=False, **options
):
    """Config of a toy run; ``options`` are dotted overrides."""
    config = Config.fromfile(ROOT / 'configs/_base_/runtime.py')
    loop = (
        {'by_epoch': False, 'max_iters': iters}
        if iters
        else {'by_epoch': True, 'max_epochs': epochs}
    )
    sampler = {'type': 'InfiniteSampler' if iters else 'DefaultSampler', 'shuffle': True}
    config.merge_from_dict(
        {
            'work_dir': str(work_dir),
            'default_scope': 'mmengine',
            'launcher': 'none',
            'log_level': 'WARNING',
            'model': {'type': 'ToyModel'},
            'train_dataloader': {
                'dataset': {'type': 'ToyDataset'},
                'sampler': sampler,
                'batch_size': batch,
                'num_workers': workers,
            },
            'train_cfg': loop,
            'optim_wrapper': {
                'type': 'sapiens_train.SapiensOptimWrapper',
                'optimizer': {'type': 'AdamW', 'lr': 0.01},
                'clip_grad': {'max_norm': 1.0},
            },
            'param_scheduler': [
                {'type': 'LinearLR', 'start_factor': 0.1, 'by_epoch': False, 'begin': 0, 'end': 9},
                {'type': 'MultiStepLR', 'milestones': [1, 2], 'by_epoch': not iters},
            ],
            'default_hooks.checkpoint': checkpoint
            or {'interval': 1000, 'by_epoch': not iters, 'max_keep_ckpts': 2},
            'log_processor.by_epoch': not iters,
            'bad_samples.max_share': 0.3,
        }
    )
    if val:
        config.merge_from_dict(
            {
                'val_dataloader': {
                    'dataset': {'type': 'ToyDataset', 'count': 4, 'test_mode': True},
                    'sampler': {'type': 'DefaultSampler', 'shuffle': False},
                    'batch_size': 2,
                },
                'val_cfg': {},
                'val_evaluator': {'type': 'ToyMetric'},
            }
        )
    config.merge_from_dict(options)
    return config


def train_rank(rank, folder, options):
    """A toy run as one of two ranks; messages, error, seen samples and weights go to `<rank>.pt`."""
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    from runs import launch

    config = make_config(folder / 'run', **options)
    config.launcher = 'pytorch'
    runner = launch.build_runner(config)
    assert get_dist_info() == (rank, 2)
    messages, error = [], ''
    runner.logger.warning = lambda text, *args, **kwargs: messages.append(str(text))
    try:
        runner.train()
    except Exception as failure:
        error = f'{type(failure).__name__}: {failure}'
    model = runner._unwrapped_model()
    result = {'messages': messages, 'error': error, 'seen': model.seen}
    torch.save({**result, 'weights': model.state_dict()}, folder / f'{rank}.pt')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('work_dir')
    parser.add_argument('--options', type=json.loads, default={})
    parser.add_argument('--launcher', default='none')
    args = parser.parse_args()
    torch.set_num_threads(1)
    from runs import launch

    config = make_config(args.work_dir, **args.options)
    config.launcher = args.launcher
    config.resume = True
    runner = launch.build_runner(config)
    runner.train()
    model = runner._unwrapped_model()
    result = {'weights': model.state_dict(), 'seen': model.seen}
    torch.save(result, Path(args.work_dir) / f'result_{runner.rank}.pt')


if __name__ == '__main__':
    main()
    from runs.dist import leave_process_group

    leave_process_group()  # as the tools do, once the runner is gone
