# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Recipes that split their parameters (FSDP2) train and validate: their heads are no modules that are called."""

import numpy as np
import pytest
from invented_data import invent_data
from old_torch import needs_fsdp2
from short_training import heads_without_gradient, train

# tests/depth_normal/test_p3m.py has the dense one.
RECIPES = {
    'pose/sapiens2_0.4b_goliath': {
        'codec.input_size': (48, 64),
        'codec.heatmap_size': (12, 16),
        'codec.sigma': 1,
    },
    'seg/sapiens2_1b_goliath': {},
}


@pytest.mark.slow
@needs_fsdp2
@pytest.mark.parametrize('name', RECIPES)
def test_tasks_train_and_validate(root, tmp_path, alone, name):
    data = tmp_path / 'data'
    invent_data(data / 'train')
    for part in ('test', 'test_5000', 'backgrounds'):
        (data / part).symlink_to(data / 'train/images' if part == 'backgrounds' else data / 'train')
    annotations = data / 'train/annotations'
    (annotations / 'person_keypoints_test2023.json').symlink_to(
        annotations / 'person_keypoints_train.json'
    )
    options = {
        'data_root': str(data),
        'size': (64, 48),
        'iterations': 3,
        'param_scheduler': [],
        'train_cfg.val_interval': 3,
        'default_hooks.checkpoint.interval': 3,
        'default_hooks.logger.interval': 1,
        **RECIPES[name],
    }
    runner = train(root / f'configs/{name}.py', tmp_path / 'work', (64, 48), options)
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert len(losses) == 3 and np.isfinite(losses).all()
    assert not heads_without_gradient(runner)
    assert (tmp_path / 'work/iter_3.shards').is_dir()
    best = runner.cfg.default_hooks.checkpoint.save_best
    assert np.isfinite(runner.message_hub.get_scalar(f'val/{best}').current())
