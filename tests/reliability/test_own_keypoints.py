# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The walk-through of docs/reliability.md for a user's own keypoints, as it is written there."""

import json
import re
import runpy
import shlex
import sys
from pathlib import Path

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


@pytest.mark.slow
def test_walk_through(root, folder, walk, monkeypatch, capsys):
    commands, config = walk
    (folder / 'my_pose.py').write_text(config.replace('configs/', f'{root}/configs/'))
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    small = ['--cfg-options', 'train_dataloader.batch_size=2', 'train_cfg.max_epochs=1']
    small += [f'{loader}.num_workers=0' for loader in loaders]
    small += [f'{loader}.persistent_workers=False' for loader in loaders]
    monkeypatch.chdir(folder)
    output = {}
    for command in commands:
        interpreter, tool, *arguments = shlex.split(command)
        assert interpreter == 'python'
        step = f'{Path(tool).stem} {"--check" in arguments}'
        if tool in ('tools/train.py', 'tools/test.py'):
            arguments = [word.replace('epoch_210', 'epoch_1') for word in arguments] + small
        if tool == 'tools/data/check_dataset.py':
            arguments += ['--workers', '0']
        monkeypatch.setattr(sys, 'argv', [tool, *arguments])
        try:
            runpy.run_path(str(root / tool), run_name='__main__')
        except SystemExit as status:
            assert not status.code, command
        captured = capsys.readouterr()
        output[step] = captured.out + captured.err
    made = '6 keypoints, 2 mirror pairs, 2 links, 0 problems'
    assert made in output['make_metainfo False'] and made in output['make_metainfo True']
    assert '4 samples, 0 cannot be read' in output['check_dataset False']
    assert (folder / 'targets.png').is_file()
    assert (folder / 'work_dirs/my_pose/epoch_1.pth').is_file()
    assert 'coco/AP' in output['test False']
    assert list(output) == [
        'make_metainfo False',
        'make_metainfo True',
        'check_dataset False',
        'train False',
        'test False',
    ]
