# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""TensorBoard, MLflow and W&B get a run's scalars by the line of docs/training.md."""

import os

import pytest
from invented_data import invent_data
from runs import launch


@pytest.mark.parametrize(
    ('backend', 'module', 'pattern'),
    [
        ('TensorboardVisBackend', 'tensorboard', '*/vis_data/events.out.tfevents.*'),
        ('MLflowVisBackend', 'mlflow', '*/vis_data/*/*/metrics/loss'),
        ('WandbVisBackend', 'wandb', '*/vis_data/wandb/offline-run-*/*.wandb'),
    ],
)
def test_the_line_of_the_docs(root, tmp_path, monkeypatch, backend, module, pattern):
    pytest.importorskip(module, exc_type=ImportError)
    monkeypatch.setenv('WANDB_MODE', 'offline')
    monkeypatch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
    line = "visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])"
    assert line in (root / 'docs/training.md').read_text()
    config = tmp_path / 'mine.py'
    recipe = root / 'configs/normal/sapiens_tiny_folder.py'
    config.write_text(f"_base_ = ['{recipe}']\n{line.replace('TensorboardVisBackend', backend)}\n")
    invent_data(tmp_path / 'data')
    options = {'data_root': str(tmp_path / 'data'), 'train_cfg.max_epochs': 1}
    options |= {'train_dataloader.batch_size': 2, 'train_dataloader.num_workers': 0}
    options |= {'train_dataloader.persistent_workers': False, 'default_hooks.logger.interval': 1}
    loaded = launch.load_config(str(config), str(tmp_path / 'work'), 'none', options)
    launch.disable_validation(loaded)
    runner = launch.build_runner(loaded)
    runner.train()
    runner.visualizer.close()
    [found] = (tmp_path / 'work').glob(pattern)
    assert os.path.getsize(found) > 50
