# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The baselines of the paper through upstream's models train: some steps, on invented data."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import equal_time
from invented_data import invent_data
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from runs import launch

from sapiens_train.fit import check_fit

NAMES = ['hrnet_w48', 'vitpose_b', 'rtmpose_m', 'rtmw_l', 'dwpose_l_m', 'dwpose_m_m']


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_pose_baselines_train(root, tmp_path, name):
    invent_data(tmp_path / 'data')
    options = {
        'size': [64, 96],
        'data_root': str(tmp_path / 'data'),
        'train_cfg.max_epochs': 1,
        'default_hooks.checkpoint.interval': 100,
        'train_dataloader.batch_size': 2,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.dataset.indices': 4,
        'train_dataloader.dataset.ann_file': 'annotations/person_keypoints_train.json',
        'train_dataloader.dataset.data_prefix.img': 'images/',
    }

    def load(name):
        path = str(root / f'configs/pose/baselines/{name}_goliath.py')
        config = launch.load_config(path, str(tmp_path), 'none', options)
        config.model.get('backbone', {}).pop('init_cfg', None)  # a download
        return config

    config = load(name)
    if name.startswith('dwpose'):
        for part in ('teacher_cfg', 'student_cfg'):
            other = Path(config.model[part]).stem.removesuffix('_goliath')
            load(other).dump(tmp_path / f'{other}.py')
            config.model[part] = str(tmp_path / f'{other}.py')
    launch.disable_validation(config)
    runner = launch.build_runner(config)
    runner.train()
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert len(losses) == 2 and np.isfinite(losses).all()


TINY = [(task, name) for task, names in equal_time.ARCHITECTURES.items() for name in names]


@pytest.mark.slow
@pytest.mark.parametrize(('task', 'name'), [row for row in TINY if row[0] != 'depth'])
def test_tiny_baselines_train(root, tmp_path, task, name):
    invent_data(tmp_path / 'data')
    config = launch.load_config(
        str(root / f'configs/{task}/baselines/{name}_synthetic.py'),
        None,
        'none',
        {'data_root': str(tmp_path / 'data')},
    )
    config.train_dataloader.batch_size = 2
    runner = equal_time.run(config, tmp_path / 'work', seconds=1e-3, rate=1, seed=0)
    assert runner.iter == 1
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert np.isfinite(losses).all()


def test_the_list_of_tiny_baselines_is_complete(root):
    paths = root.glob('configs/*/baselines/*_synthetic.py')
    there = {(path.parts[-3], path.stem.removesuffix('_synthetic')) for path in paths}
    assert there == set(TINY)


@pytest.mark.parametrize(
    ('task', 'name', 'arch', 'widths'),
    [
        ('depth', 'swin_b', 'tiny', [96, 192, 384, 768]),
        ('normal', 'convnext_b', 'tiny', [96, 192, 384, 768]),
        ('depth', 'dinov2_vit_b_dpt', 'deit-tiny', [192] * 4),
    ],
)
def test_dense_baselines_learn_a_map(root, task, name, arch, widths):
    config = Config.fromfile(root / f'configs/{task}/baselines/{name}_synthhuman.py')
    init_default_scope(config.default_scope)
    config.model.backbone.pop('init_cfg')
    config.model.backbone.arch = arch
    config.model.decode_head.head.merge({'in_channels': widths, 'channels': 32})
    side = 64
    if 'dpt' in name:
        side = config.model.backbone.img_size = 56
        config.model.decode_head.head.embed_dims = widths[0]
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.decode_head.init_weights()
    check_fit(model, config, training=False)
    channels = {'depth': 1, 'normal': 3}[task]
    truth = torch.rand(channels, side, side) * 0.3 + 0.2
    sample = SegDataSample(metainfo={'ori_shape': (side, side), 'img_shape': (side, side)})
    sample.set_data({f'gt_{task}_map': PixelData(data=truth)})
    sample.set_data({'gt_mask': PixelData(data=torch.ones(1, side, side))})
    optimizer = torch.optim.Adam(model.decode_head.parameters(), lr=1e-3)
    images = torch.randn(2, 3, side, side)
    losses = []
    for _ in range(4):
        total = sum(model.loss(images, [sample, sample]).values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(float(total))
    assert losses[-1] < losses[0]
    assert all(weight.grad is not None for weight in model.decode_head.parameters())
    model.eval()
    with torch.no_grad():
        (found,) = model.predict(images[:1], [sample])
    assert found.get(f'pred_{task}_map').data.shape == (channels, side, side)
