# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Upstream's hooks that change the training data in the middle of a run do so here, too."""

from types import SimpleNamespace

import pytest
from mmdet.engine.hooks import PipelineSwitchHook
from mmengine.registry import TRANSFORMS
from mmpose.engine.hooks import YOLOXPoseModeSwitchHook


@pytest.mark.parametrize('workers', [0, 2])
def test_another_pipeline(toy, build, tmp_path, workers):
    @TRANSFORMS.register_module(force=True)
    class ToyNegative(toy.ToyAugment):
        def __call__(self, results):
            return super().__call__({'value': -1 - results['value']})

    options = {'epochs': 4, 'workers': workers, 'train_dataloader.dataset.count': 6}
    options['train_dataloader.persistent_workers'] = workers > 0
    runner = build(toy.make_config(tmp_path, **options))
    hook = PipelineSwitchHook(switch_epoch=2, switch_pipeline=[{'type': 'ToyNegative'}])
    runner.register_hook(hook)
    runner.train()
    signs = [value < 0 for batch in runner.model.seen for value in batch]
    assert signs == [False] * 12 + [True] * 12


def test_another_loader(toy, build, tmp_path):
    runner = build(toy.make_config(tmp_path, epochs=3))
    runner.model.head = SimpleNamespace()
    small = {'type': 'ToyDataset', 'count': 6, 'broken': [5]}
    runner.register_hook(YOLOXPoseModeSwitchHook(num_last_epochs=1, new_train_dataset=small))
    runner.train()
    values = [value for batch in runner.model.seen for value in batch]
    assert sorted(values[:22]) == list(range(22))
    # The hook counts epochs from 1. Its loader replaces samples that cannot be read, like the first one.
    assert len(values) == 22 + 2 * 6 and max(values[22:]) < 5
