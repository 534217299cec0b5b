# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The real commands on shaded spheres: training, pictures, tables, and the loss going down."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from runs import launch

SIZE = (256, 192)


def write_spheres(root, count):
    """Images of a lit sphere with mask, depth in metres and normals."""
    random = np.random.default_rng(0)
    rows, columns = np.indices(SIZE)
    for folder in ('images', 'masks', 'depths', 'normals'):
        (root / folder).mkdir(parents=True)
    for index in range(count):
        radius = random.uniform(50, 80)
        x, y = random.uniform(60, 130), random.uniform(80, 170)
        dx, dy = (columns - x) / radius, (y - rows) / radius
        mask = dx**2 + dy**2 < 1
        normal = np.stack([dx, dy, np.sqrt(np.maximum(1 - dx**2 - dy**2, 0))], -1) * mask[..., None]
        image = random.integers(0, 60, (*SIZE, 3)).astype(np.uint8)
        light = np.clip(normal @ np.array([0.4, 0.5, 0.77]), 0.1, 1)
        image[mask] = (light[mask, None] * [120, 160, 220]).astype(np.uint8)
        cv2.imwrite(str(root / f'images/{index:02d}.jpg'), image)
        cv2.imwrite(str(root / f'masks/{index:02d}.png'), mask.astype(np.uint8) * 255)
        np.save(root / f'depths/{index:02d}.npy', (3 - normal[..., 2] * 0.4).astype(np.float32))
        np.save(root / f'normals/{index:02d}.npy', normal.astype(np.float16))
    names = [f'{index:02d}' for index in range(count)]
    (root / 'train.txt').write_text('\n'.join(names[:-4]))
    (root / 'val.txt').write_text('\n'.join(names[-4:]))


@pytest.mark.slow
def test_train_and_test(root, tmp_path):
    write_spheres(tmp_path / 'data', 20)
    work = tmp_path / 'work'
    config = str(root / 'configs/normal/sapiens_tiny_synthetic.py')
    options = {
        'data_root': str(tmp_path / 'data'),
        'val_dataloader.dataset.framing': 'sphere',
        'test_dataloader.dataset.framing': 'sphere',
        'train_cfg.max_epochs': 4,
        'train_cfg.val_interval': 4,
        'default_hooks.checkpoint.interval': 4,
        'default_hooks.logger.interval': 1,
        'custom_hooks.0.interval': 16,
    }
    for name in ('train', 'val', 'test'):
        options |= {
            f'{name}_dataloader.num_workers': 0,
            f'{name}_dataloader.persistent_workers': False,
        }
    launch.build_runner(launch.load_config(config, str(work), 'none', options)).train()
    scalars = [
        json.loads(line)
        for path in work.glob('*/vis_data/scalars.json')
        for line in path.read_text().splitlines()
    ]
    losses = [entry['loss'] for entry in scalars if 'loss' in entry]
    assert len(losses) == 16 and losses[-1] < losses[0] - 0.1
    assert {path.name for path in (work / 'vis_data').iterdir()} == {'train_16.jpg', 'val.jpg'}
    assert (work / 'best_normal_mean_epoch_4.pth').is_file()

    command = [sys.executable, root / 'tools/test.py', config, work / 'epoch_4.pth']
    command += ['--work-dir', work, '--cfg-options', *(f'{k}={v}' for k, v in options.items())]
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    log = done.stdout + done.stderr
    assert done.returncode == 0, log[-3000:]
    for text in ('| all     |      4 | model', '| sphere  |      4 | camera facing', '< 11.25 deg'):
        assert text in log, log[-2000:]
    assert (work / 'vis_data/test.jpg').is_file()
