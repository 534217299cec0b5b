# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2's recipes: the published keys, and the published schedule of every task and size."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, TRANSFORMS, init_default_scope

from sapiens_common.checkpoint_names import to_published
from sapiens_pretrain.models.sapiens2 import SAPIENS2_ZOO

SIZES = ('0.4b', '0.8b', '1b', '5b')
DATA = {'pose': 'goliath', 'seg': 'goliath', 'matting': 'p3m'}
RATE = {'0.4b': 0.80, '0.8b': 0.85, '1b': 0.90, '5b': 0.94}  # layer decay
# Per size: thousands of iterations, learning rate, clip, precision, whether sharded, batch per process.
TABLE = {
    'pose': [
        (10, 5e-4, 2, 'bfloat16', True, 6),
        (10, 5e-4, 4, 'bfloat16', True, 12),
        (20, 5e-4, 4, 'bfloat16', True, 7),
        (20, 1e-4, 4, 'bfloat16', True, 2),
    ],
    'seg': [
        (20, 5e-4, 2, 'bfloat16', False, 12),
        (30, 5e-4, 4, 'float32', False, 5),
        (20, 5e-4, 4, 'bfloat16', True, 8),
        (50, 5e-4, 4, 'bfloat16', True, 2),
    ],
    'normal': [
        (20, 5e-4, 2, 'bfloat16', True, 20),
        (10, 5e-4, 4, 'bfloat16', True, 12),
        (40, 5e-4, 4, 'bfloat16', True, 7),
        (40, 1e-4, 4, 'bfloat16', True, 3),
    ],
    'pointmap': [
        (20, 5e-4, 2, 'float32', True, 8),
        (20, 5e-4, 2, 'float32', True, 6),
        (40, 5e-4, 4, 'float32', True, 3),
        (40, 1e-4, 4, 'float32', True, 1),
    ],
    'albedo': [
        (20, 5e-4, 2, 'bfloat16', True, 20),
        (20, 5e-4, 4, 'bfloat16', True, 12),
        (40, 5e-4, 4, 'bfloat16', True, 7),
        (40, 5e-4, 4, 'bfloat16', True, 3),
    ],
}
ROWS = [(task, size, *row) for task in TABLE for size, row in zip(SIZES, TABLE[task], strict=True)]
ROWS.append(('matting', '1b', 14.55, 5e-4, 4, 'bfloat16', True, 8))


def load(root, task, size):
    return Config.fromfile(
        root / f'configs/{task}/sapiens2_{size}_{DATA.get(task, "render_people")}.py'
    )


@pytest.mark.parametrize(('task', 'size'), [row[:2] for row in ROWS])
def test_published_keys(root, sapiens2_keys, task, size):
    config = load(root, task, size)
    init_default_scope(config.default_scope)
    with torch.device('meta'):
        model = MODELS.build(config.model)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert to_published(shapes, tuple) == sapiens2_keys(task, size)


@pytest.mark.parametrize('row', ROWS, ids=[f'{row[0]}-{row[1]}' for row in ROWS])
def test_published_schedule(root, row):
    task, size, thousands, rate, clip, dtype, sharded, batch = row
    config = load(root, task, size)
    iterations = round(1000 * thousands)
    assert config.train_cfg.max_iters == iterations and not config.train_cfg.by_epoch
    warm_up, decay = config.param_scheduler
    assert (warm_up.type, warm_up.start_factor, warm_up.end) == ('LinearLR', 1e-3, 500)
    assert (decay.type, decay.power, decay.begin, decay.end) == ('PolyLR', 1.0, 500, iterations)
    optim = config.optim_wrapper
    assert (optim.optimizer.type, optim.optimizer.lr) == ('AdamW', rate)
    assert (optim.optimizer.betas, optim.optimizer.weight_decay) == ((0.9, 0.999), 0.1)
    assert optim.paramwise_cfg == dict(layer_decay_rate=RATE[size])
    assert optim.clip_grad.max_norm == clip and optim.dtype == dtype
    tf32 = config.get('float32_matmul_precision') == 'high'
    assert tf32 == (dtype == 'float32')
    assert config.train_dataloader.batch_size == batch
    assert config.train_dataloader.sampler.type == 'InfiniteSampler'
    assert (config.runner_type == 'sapiens_train.ShardedRunner') == sharded
    if sharded:
        assert config.sharding.blocks == ('backbone.blocks',)
        assert config.sharding.param_dtype == (None if dtype == 'float32' else dtype)
    assert config.model.backbone.img_size == (1024, 768)


def test_published_losses(root):
    for task, expected in {
        'pose': {'KeypointMSELoss': 10},
        'seg': {'sapiens_seg.WeightedCrossEntropy': 1, 'sapiens_seg.BodyPartDice': 1},
        'normal': {'CosineLoss': 10, 'PixelL1Loss': 1, 'GradientMatchingLoss': 10},
        'albedo': {'PixelL1Loss': 2, 'GradientMatchingLoss': 1, 'ChromaticityLoss': 1},
    }.items():
        model = load(root, task, '1b').model
        losses = model.head.loss if task == 'pose' else model.decode_head.loss_decode
        losses = losses if isinstance(losses, list) else [losses]
        found = {
            loss.type.removeprefix('sapiens_depth_normal.'): loss.get('loss_weight', 1)
            for loss in losses
        }
        assert found == expected
    losses = load(root, 'pointmap', '1b').model.decode_head.loss_decode
    assert [loss.loss_weight for loss in losses] == [2, 1, 1, 1, 1, 2, 4]


def test_published_augmentation_of_pose(root):
    steps = {step.type: step for step in load(root, 'pose', '1b').train_dataloader.dataset.pipeline}
    colours = steps['RandomApply']
    assert colours.prob == 0.8
    assert colours.transforms == [{'type': 'sapiens_common.ColourDistortion'}]  # no channel swap
    assert steps['sapiens_pose.RejectFewKeypoints'].min_body == 6
    assert steps['sapiens_pose.DecodeTopdownAffine'].hide_outside


def test_parts_are_shown_smaller(root):
    """An image smaller than the crop keeps its size: the rest is black and ignored."""
    steps = load(root, 'seg', '1b').train_dataloader.dataset.pipeline
    (crop,) = [step for step in steps if step.type == 'RandomApply']
    assert crop.prob == 0.3
    init_default_scope('mmseg')
    sample = dict(
        img=np.full((512, 384, 3), 7, np.uint8),
        gt_seg_map=np.full((512, 384), 3, np.uint8),
        seg_fields=['gt_seg_map'],
    )
    found = TRANSFORMS.build(dict(crop, prob=1.0))(sample)
    assert found['img'].shape == (1024, 768, 3) and found['gt_seg_map'].shape == (1024, 768)
    assert (found['img'] == 7).sum() == 3 * (found['gt_seg_map'] == 3).sum() == 3 * 512 * 384
    assert found['gt_seg_map'].max() == 255 and found['img'].min() == 0


@pytest.mark.parametrize('task', [*TABLE, 'matting'])
def test_tiny_recipes(root, task):
    config = Config.fromfile(root / f'configs/{task}/sapiens2_tiny_synthetic.py')
    assert config.model.backbone.type == 'sapiens_pretrain.Sapiens2ViT'
    assert config.model.backbone.arch in SAPIENS2_ZOO
    assert config.train_dataloader.dataset.data_root == 'data/synthetic'
    assert 'data/synthetic' in config.val_dataloader.dataset.data_root


@pytest.mark.parametrize('name', ['1b_render_people', 'tiny_synthetic'])
def test_the_canonical_focal_length_is_the_width_of_the_input(root, name):
    """Else canonical depths of people are far from those that the published heads learn."""
    config = Config.fromfile(root / f'configs/pointmap/sapiens2_{name}.py')
    width = config.model.backbone.img_size[1]
    assert config.model.decode_head.get('canonical_focal', 768) == width
    assert config.val_evaluator.get('canonical_focal', 768) == width
    assert config.model.decode_head.grid_size == tuple(
        n // 16 for n in config.model.backbone.img_size
    )
    (reject,) = [
        step for step in config.train_dataloader.dataset.pipeline if 'RejectMaps' in step.type
    ]
    assert reject.get('canonical_focal', 768) == width
