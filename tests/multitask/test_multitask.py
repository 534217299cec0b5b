# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The multitask model: one encoder pass, every task's own loss and prediction."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

from sapiens_depth_normal.transforms import MattingTarget, RandomWarp, ResizeImage
from sapiens_depth_normal.transforms.warp import Warp
from sapiens_multitask.models import MultitaskModel, SharedFeatures
from sapiens_multitask.transforms import PackMultitask

TASKS = ('pose', 'seg', 'depth', 'normal', 'matting')
SIZE = (64, 48)


def batch(model, *samples, training=True):
    packed = [PackMultitask()(sample) for sample in samples]
    data = {key: [item[key] for item in packed] for key in packed[0]}
    return model.data_preprocessor(data, training)


def test_losses_of_all_tasks_with_weights(sample_of, model):
    warp = RandomWarp(SIZE)
    samples = [
        MattingTarget()(warp.apply(sample_of(i), Warp(0, 0, 50, 80, flip=bool(i))))
        for i in range(2)
    ]
    model.train()
    losses = model(**batch(model, *samples), mode='loss')
    names = {name.split('.')[0] for name in losses}
    assert names == set(TASKS)
    total = sum(value.mean() for name, value in losses.items() if 'loss' in name)
    total.backward()
    assert all(weight.grad is not None for weight in model.parameters())
    model.zero_grad()
    model.loss_weights['depth'] *= 3
    torch.manual_seed(0)
    again = model(**batch(model, *samples), mode='loss')
    model.loss_weights['depth'] /= 3
    name = 'depth.decode.loss_silog'
    torch.testing.assert_close(again[name], 3 * losses[name], rtol=1e-4, atol=0)


def test_one_task_is_taught_and_nothing_else_changes(sample_of, config):
    tasks = {name: config.model.tasks[name] for name in ('seg', 'matting')}
    for task in tasks.values():  # a norm of the whole batch, whose statistics must stay too
        task.decode_head.norm_cfg = dict(type='BN')
    with DefaultScope.overwrite_default_scope('mmseg'):
        backbone = dict(config.model.backbone, frozen_stages=6)
        model = MultitaskModel(
            backbone, tasks, trained=['matting'], data_preprocessor=config.model.data_preprocessor
        )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    model.train()
    sample = MattingTarget()(RandomWarp(SIZE).apply(sample_of(), Warp(0, 0, 50, 80)))
    losses = model(**batch(model, sample), mode='loss')
    assert {name.split('.')[0] for name in losses} == {'matting'}
    sum(losses.values()).backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if (value != before[name]).any()}
    assert changed and all(name.startswith('tasks.matting.') for name in changed)


def test_one_pass_equals_single_models(sample_of, model, config, monkeypatch):
    model.eval()
    calls = []
    forward = model.backbone.forward
    monkeypatch.setattr(model.backbone, 'forward', lambda x: calls.append(1) or forward(x))
    data = batch(model, ResizeImage(SIZE)(sample_of()), training=False)
    with torch.no_grad():
        found = model(**data, mode='predict')[0]
    assert len(calls) == 1
    assert found.pred_instances.keypoints.shape == (1, 308, 2)
    assert found.pred_sem_seg.data.shape == (1, 80, 50)
    alone = {**config.model.tasks.normal, 'backbone': config.model.backbone}
    with DefaultScope.overwrite_default_scope('mmseg'):
        alone = MODELS.build(alone).eval()
    alone.load_state_dict(model.task_state_dict('normal'))
    single = batch(model, ResizeImage(SIZE)(sample_of()), training=False)
    with torch.no_grad():
        expected = alone(**single, mode='predict')[0].pred_normal_map.data
    torch.testing.assert_close(found.pred_normal_map.data, expected)
    with torch.no_grad():
        raw = model(data['inputs'])
    assert set(raw) == set(TASKS)


def test_errors(config):
    tasks = {'depth': {**config.model.tasks.depth, 'backbone': config.model.backbone}}
    with DefaultScope.overwrite_default_scope('mmseg'):
        with pytest.raises(ValueError, match=r"tasks \['depth'\]: set backbone"):
            MultitaskModel(config.model.backbone, tasks)
        tasks = {'depth': config.model.tasks.depth}
        with pytest.raises(ValueError, match=r"loss_weights of \['albedo'\], but the tasks are"):
            MultitaskModel(config.model.backbone, tasks, {'albedo': 1})
        with pytest.raises(
            ValueError, match=r"trained of \['albedo'\], but the tasks are \['depth'\]"
        ):
            MultitaskModel(config.model.backbone, tasks, trained=['albedo'])
        mirrored = {'pose': {**config.model.tasks.pose, 'test_cfg': {'flip_test': True}}}
        with pytest.raises(ValueError, match=r"tasks \['pose'\]: set test_cfg.flip_test=False"):
            MultitaskModel(config.model.backbone, mirrored)
        with pytest.raises(ValueError, match='takes no train_cfg; upstream'):
            MultitaskModel(config.model.backbone, tasks, train_cfg=None)
        model = MultitaskModel(config.model.backbone, tasks)
    with pytest.raises(ValueError, match='SharedFeatures holds no features'):
        model.tasks['depth'](torch.zeros(1, 3, 64, 48))


def test_two_threads_run_one_model_with_features_of_their_own():
    shared, together = SharedFeatures(), threading.Barrier(2, timeout=60)

    def run(value):
        features = (torch.full((1,), value),)
        shared.hold(features)
        together.wait()
        found = shared(torch.zeros(1))
        together.wait()
        shared.hold(None)
        return found is features

    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(run, (1.0, 2.0)))
    with pytest.raises(ValueError, match='holds no features'):
        shared(torch.zeros(1))


def test_a_task_that_fails_lets_go_of_the_features(model, monkeypatch):
    task = model.tasks['depth']
    monkeypatch.setattr(type(task), 'forward', lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model(torch.zeros(1, 3, 64, 48))
    with pytest.raises(ValueError, match='holds no features'):
        task.backbone(torch.zeros(1))
