# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The walk-through of docs/reliability.md for a user's own keypoints, as it is written there."""

import json
import os
import re
import shlex
import subprocess
import sys

import cv2
import numpy as np
import pytest

NAMES = ['nose', 'left_hand', 'right_hand', 'left_foot', 'right_foot', 'tip_of_the_hat']


@pytest.fixture
def folder(tmp_path):
    """A folder as the walk-through supposes it: photos and a COCO file for training and validation."""
    rng = np.random.default_rng(0)
    (tmp_path / 'data/mine/images').mkdir(parents=True)
    category = {'id': 1, 'name': 'person', 'keypoints': NAMES, 'skeleton': [[1, 2], [1, 3]]}
    for split in ('train', 'val'):
        content = {'images': [], 'annotations': [], 'categories': [category]}
        for number in range(4):
            name = f'{split}_{number}.jpg'
            image = cv2.resize(rng.integers(0, 256, (8, 6, 3), dtype=np.uint8), (96, 128))
            cv2.imwrite(str(tmp_path / 'data/mine/images' / name), image)
            points = np.concatenate([rng.uniform(20, 76, (len(NAMES), 2)), np.full((6, 1), 2)], 1)
            content['images'].append({'id': number, 'file_name': name, 'width': 96, 'height': 128})
            content['annotations'].append(
                {
                    'id': number,
                    'image_id': number,
                    'category_id': 1,
                    'bbox': [10, 10, 76, 100],
                    'area': 7600,
                    'num_keypoints': len(NAMES),
                    'iscrowd': 0,
                    'keypoints': points.ravel().tolist(),
                }
            )
        (tmp_path / f'data/mine/{split}.json').write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def walk(root):
    """Commands and the config of the walk-through."""
    text = (root / 'docs/reliability.md').read_text(encoding='utf-8')
    text = text[text.index('## Your own keypoints') :]
    (config,) = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
    config = re.sub('^   ', '', config, flags=re.MULTILINE)
    commands = re.findall(r'^ *((?:python|bash) tools/.*)$', text, re.MULTILINE)
    return commands, config


def test_walk_through(root, folder, walk):
    commands, config = walk
    assert [re.search(r'(\w+)\.(py|sh)', command)[1] for command in commands] == [
        'make_metainfo',
        'make_metainfo',
        'check_dataset',
        'train',
        'test',
    ]
    (folder / 'my_pose.py').write_text(config.replace('configs/', f'{root}/configs/'))
    small = 'train_dataloader.batch_size=2 train_dataloader.num_workers=0 '
    small += 'train_dataloader.persistent_workers=False val_dataloader.num_workers=0 '
    small += 'val_dataloader.persistent_workers=False test_dataloader.num_workers=0 '
    small += 'test_dataloader.persistent_workers=False '
    short = {
        'train': f' --cfg-options {small} train_cfg.max_epochs=1',
        'test': f' --cfg-options {small}',
    }
    output = []
    for command in commands:
        name = re.search(r'(\w+)\.py', command)[1]
        words = shlex.split(command + short.get(name, ''))
        words[:2] = [sys.executable, str(root / words[1])]
        words = [word.replace('/epoch_210.pth', '/epoch_1.pth') for word in words]
        environment = {**os.environ, 'OMP_NUM_THREADS': '2'}
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-3000:])
        output.append(done.stdout + done.stderr)
    assert '6 keypoints, 2 mirror pairs, 2 links, 0 problems' in output[0]
    assert '4 samples, 0 cannot be read' in output[2]
    assert (folder / 'targets.png').is_file()
    assert 'coco/AP' in output[4]
