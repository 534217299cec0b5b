# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The evaluation command of the README on a folder laid out as Humans-5K."""

import csv
import json
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from sapiens_common.layouts.goliath308 import group_ids

# The shipped 1b leaf with the tiny encoder and a thin head in it: the command, at a size for a test.
SMALLER = {
    'model.backbone.arch': 'tiny',
    'model.head.in_channels': 192,
    'model.head.deconv_out_channels': (16, 16),
    'model.head.conv_out_channels': (16, 16),
}


def write_humans5k(folder, count=2):
    """Photos of noise with random people in the layout of Humans-5K."""
    rng = np.random.default_rng(0)
    (folder / 'test_5000/images').mkdir(parents=True)
    (folder / 'test_5000/annotations').mkdir()
    images, annotations = [], []
    keys = ('keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts')
    for number in range(1, count + 1):
        name = f'{number:06d}.jpg'
        photo = rng.integers(0, 255, (200, 150, 3), np.uint8)
        cv2.imwrite(str(folder / 'test_5000/images' / name), photo)
        images.append({'id': number, 'file_name': name, 'width': 150, 'height': 200})
        points = np.concatenate([rng.uniform(20, 140, (308, 2)), np.full((308, 1), 2)], axis=1)
        groups = {
            key: points[ids].ravel().tolist()
            for key, ids in zip(keys, group_ids().values(), strict=True)
        }
        annotations.append(
            {
                'id': number,
                'image_id': number,
                'category_id': 1,
                'iscrowd': 0,
                'bbox': [10, 10, 135, 180],
                'area': 9000.0,
                'num_keypoints': 308,
                'goliath_wholebody_kpts': points.ravel().tolist(),
                **groups,
            }
        )
    ids = {f'{name}_keypoint_ids': ids for name, ids in group_ids().items()}
    content = {
        'info': {'goliath_info': ids},
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'person'}],
    }
    path = folder / 'test_5000/annotations/person_keypoints_test2023.json'
    path.write_text(json.dumps(content))


@pytest.mark.slow
def test_evaluating_a_humans5k_folder(root, tmp_path):
    write_humans5k(tmp_path / 'goliath')
    leaf = root / 'configs/pose/sapiens_1b_goliath.py'
    init_default_scope('mmpose')
    config = Config.fromfile(leaf)
    config.merge_from_dict(SMALLER)
    model = MODELS.build(config.model)
    model.init_weights()
    checkpoint = tmp_path / 'random.pth'
    torch.save({'state_dict': model.state_dict()}, checkpoint)

    options = [f'{key}={value}'.replace(' ', '') for key, value in SMALLER.items()]
    options += [f'data_root={tmp_path / "goliath"}', 'test_dataloader.num_workers=0']
    options += ['test_dataloader.persistent_workers=False']
    command = [
        sys.executable,
        root / 'tools/test.py',
        leaf,
        checkpoint,
        '--work-dir',
        tmp_path / 'out',
    ]
    result = subprocess.run(
        [str(part) for part in [*command, '--cfg-options', *options]],
        capture_output=True,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '2'},
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-3000:]
    [table] = (tmp_path / 'out').glob('*/keypoints.csv')
    with table.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 308 and rows[0]['keypoint'] == 'nose' and float(rows[0]['mean_px']) > 0
    groups = json.loads(table.with_name('groups.json').read_text())
    assert [row['group'] for row in groups][-1] == 'whole'
    for row in ('body', 'foot', 'face', 'left hand', 'right hand', 'hand', 'whole'):
        assert re.search(rf'^{row}\s+[\d.]+\s', output, re.M), row
    assert 'Whole AP AR' in output
    assert re.search(r'goliath/AP: [\d.]+', output) and 'goliath/face_AP50: ' in output
