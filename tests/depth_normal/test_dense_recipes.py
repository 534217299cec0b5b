# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Recipes have the numbers of the published ones."""

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

RECIPES = {
    'depth': dict(
        padding=0,
        deconv=(384,) * 4,
        conv=(384,) * 2,
        rotate=0.5,
        losses=['MaskedSiLogLoss'],
        best='depth/aligned_rmse',
    ),
    'normal': dict(
        padding=2,
        deconv=(768,) * 3,
        conv=(768,) * 3,
        rotate=0.0,
        losses=['CosineLoss', 'PixelL1Loss'],
        best='normal/mean',
    ),
}


def steps(config, loader):
    pipeline = config[loader].dataset.pipeline
    return {step.type.split('.')[-1]: step for step in pipeline}


@pytest.mark.parametrize('task', RECIPES)
@pytest.mark.parametrize('size', ['0.3b', '0.6b', '1b', '2b'])
@pytest.mark.parametrize('data', ['render_people', 'folder'])
def test_published_numbers(root, task, size, data):
    config = Config.fromfile(root / f'configs/{task}/sapiens_{size}_{data}.py')
    expected = RECIPES[task]
    head = config.model.decode_head
    assert config.model.backbone.get('patch_padding', 0) == expected['padding']
    assert config.model.backbone.img_size == config.model.data_preprocessor.size == (1024, 768)
    assert head.deconv_out_channels == expected['deconv']
    assert head.conv_out_channels == expected['conv']
    assert head.dropout_ratio == 0.1
    losses = head.loss_decode if isinstance(head.loss_decode, list) else [head.loss_decode]
    assert [loss.type.split('.')[-1] for loss in losses] == expected['losses']
    assert all('loss_weight' not in loss for loss in losses)  # 1 each
    optimizer = config.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.weight_decay, optimizer.betas) == (5e-4, 0.1, (0.9, 0.999))
    assert config.optim_wrapper.paramwise_cfg.layer_decay_rate == 0.85
    assert config.optim_wrapper.clip_grad == dict(max_norm=1.0, norm_type=2)
    warm_up, decay = config.param_scheduler
    assert (warm_up.type, warm_up.end, warm_up.start_factor) == ('LinearLR', 400, 1e-3)
    assert (decay.type, decay.power, decay.end) == ('PolyLR', 1.0, 200)
    assert config.train_cfg.max_epochs == 200
    best = config.default_hooks.checkpoint
    assert (best.save_best, best.rule) == (expected['best'], 'less')
    train, test = steps(config, 'train_dataloader'), steps(config, 'test_dataloader')
    warp = train['RandomWarp']
    assert (warp.size, warp.scale, warp.flip_prob) == ((1024, 768), (0.2, 2.0), 0.5)
    assert (warp.rotate_prob, warp.max_angle) == (expected['rotate'], 60)
    assert ('RandomBackground' in train) == (data == 'render_people')
    assert ('NormalizeDepth' in train) == (task == 'depth')
    assert test['ResizeImage'].size == (1024, 768)
    # Judged on depth in its unit and at its size.
    assert 'NormalizeDepth' not in test and 'RandomWarp' not in test


@pytest.mark.parametrize('task', RECIPES)
@pytest.mark.parametrize(
    ('data', 'size'),
    [('render_people', (256, 192)), ('folder', (256, 192)), ('synthetic', (128, 96))],
)
def test_tiny_is_small_everywhere(root, task, data, size):
    config = Config.fromfile(root / f'configs/{task}/sapiens_tiny_{data}.py')
    assert config.model.backbone.img_size == config.model.data_preprocessor.size == size
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        sizes = [step.size for step in config[loader].dataset.pipeline if 'size' in step]
        assert sizes == [size]


def test_the_reference_switches_of_the_docs(root):
    """The code block of docs/parity.md names options that the model has."""
    values = {}
    exec((root / 'docs/parity.md').read_text().split('```python\n')[1].split('```')[0], values)
    with torch.device('meta'):
        model = MODELS.build(values['config'].model)
    assert model.decode_head.normal_offset == 1e-5
    assert values['config'].model.data_preprocessor.mean == [123.5, 116.5, 103.5]
