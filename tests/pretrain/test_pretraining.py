# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The shipped recipe trains: loss falls, pictures appear, groups are right, every size's config is sound."""

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS, RUNNERS
from old_torch import VERSION
from torch import nn

HOOKS = [
    dict(type='sapiens_pretrain.ReconstructionHook', interval=30, num_images=2, ratios=(0.75, 0.9)),
    dict(type='sapiens_pretrain.TrainingCurveHook', interval=30),
]


def train(config, name):
    config.experiment_name = name
    runner = RUNNERS.build(config)
    runner.train()
    return runner


def test_loss_falls_and_pictures_appear(mae_job, pictures, tmp_path):
    config = mae_job.make_config(
        tmp_path,
        pictures,
        **{
            'train_cfg.max_iters': 60,
            'train_dataloader.batch_size': 8,
            'default_hooks.checkpoint.interval': 60,
            'model.backbone.with_cp': False,
        },
    )
    config.custom_hooks = HOOKS
    config.param_scheduler = []
    runner = train(config, 'pretraining')
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 60
    assert losses[-10:].mean() < 0.97 * losses[:5].mean(), losses  # 1 is: predict each patch's mean
    picture = cv2.imread(str(tmp_path / 'reconstructions/iter_60.png'))
    assert picture.shape == (20 + 2 * 68, 5 * 52, 3)
    assert (tmp_path / 'reconstructions/iter_30.png').is_file()
    assert cv2.imread(str(tmp_path / 'curve.png')) is not None
    assert runner.model.backbone.mask_ratio == 0.75 and runner.model.training


def test_low_precision_compiled_fused(mae_job, pictures, tmp_path):
    options = {'optim_wrapper.dtype': 'bfloat16', 'train_cfg.max_iters': 2}
    config = mae_job.make_config(tmp_path, pictures, **options)
    config.compile = dict(backend='eager')
    runner = train(config, 'options')
    assert bool(runner.optim_wrapper.optimizer.defaults['fused']) == (VERSION >= (2, 4))
    assert all(p.dtype == torch.float32 for p in runner.model.parameters())
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())


def test_pictures_do_not_change_the_run(mae_job, pictures, tmp_path):
    found = []
    for name, hooks in (('with', [dict(HOOKS[0], interval=1)]), ('without', [])):
        config = mae_job.make_config(tmp_path / name, pictures, **{'train_cfg.max_iters': 3})
        config.custom_hooks = hooks
        found.append(mae_job.weights(train(config, name)))
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


@pytest.mark.parametrize('size', ['tiny', '0.3b', '0.6b', '1b', '2b'])
def test_recipes(root, size):
    config = Config.fromfile(root / f'configs/pretrain/sapiens_{size}_humans300m.py')
    side = 256 if size == 'tiny' else 1024
    assert config.model.backbone.img_size == config.model.neck.img_size == (side, side)
    assert config.train_dataloader.dataset.pipeline[0].size == (side, side)
    assert config.model.backbone.mask_ratio == 0.75 and config.model.head.norm_pix
    assert config.model.backbone.with_cp == (size != 'tiny')
    neck = config.model.neck
    assert (neck.decoder_depth, neck.decoder_embed_dims, neck.decoder_num_heads) == (8, 512, 16)
    optimizer = config.optim_wrapper.optimizer
    assert optimizer.lr == pytest.approx(2.4e-3) and optimizer.weight_decay == 0.05
    assert optimizer.betas == (0.9, 0.95) and config.optim_wrapper.clip_grad.max_norm == 1.0
    assert config.auto_scale_lr == dict(base_batch_size=4096, enable=True)
    warmup, cosine = config.param_scheduler
    assert (warmup.end, cosine.T_max, cosine.end) == (4000, 156000, 160000)
    assert config.train_cfg == dict(by_epoch=False, max_iters=160000)
    assert config.default_hooks.checkpoint.interval == 500


class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1 = nn.LayerNorm(4)
        self.fc = nn.Linear(4, 4)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.frozen = nn.Parameter(torch.zeros(4, 4), requires_grad=False)


def build_groups(**paramwise):
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(
            type='sapiens_pretrain.NoDecayOptimWrapperConstructor',
            optim_wrapper_cfg=dict(
                type='OptimWrapper', optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.5)
            ),
            paramwise_cfg=paramwise,
        )
    )
    model = Toy()
    return model, constructor(model).optimizer.param_groups


def test_two_parameter_groups():
    model, (decay, exempt) = build_groups(no_decay=('ln', 'bias', 'mask_token'))
    assert [id(p) for p in decay['params']] == [id(model.fc.weight)]
    assert len(exempt['params']) == 4
    assert (decay['weight_decay'], exempt['weight_decay']) == (0.5, 0.0)


def test_parameter_groups_are_checked():
    with pytest.raises(ValueError, match=r"no parameter has \['lm'\] in its name"):
        build_groups(no_decay=('lm',))
    with pytest.raises(ValueError, match="takes 'no_decay' and nothing else"):
        build_groups(custom_keys=dict(ln=dict(decay_mult=0)))
