# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The walk-through of docs/pose.md for a user's own keypoints, as it is written there."""

import re

import pytest


@pytest.fixture
def walk(root):
    """Commands and the config of the walk-through."""
    text = (root / 'docs/pose.md').read_text(encoding='utf-8')
    text = re.split('^## ', text[text.index('## Your own keypoints') :], flags=re.MULTILINE)[1]
    (config,) = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
    config = re.sub('^   ', '', config, flags=re.MULTILINE)
    commands = re.findall(r'^ *((?:python|bash) tools/.*)$', text, re.MULTILINE)
    return commands, config


@pytest.mark.slow
def test_walk_through(root, own_people, walk, one_epoch, monkeypatch, run_command):
    commands, config = walk
    (own_people / 'my_pose.py').write_text(config.replace('configs/', f'{root}/configs/'))
    monkeypatch.chdir(own_people)
    shorter = {'check_dataset': ['--workers', '0'], 'train': one_epoch, 'test': one_epoch}
    output = {}
    for command in commands:
        tool = re.search(r'(\w+)\.py', command)[1]
        command = command.replace('epoch_210', 'epoch_1')
        output[f'{tool} {"--check" in command}'] = run_command(command, *shorter.get(tool, []))
    made = '6 keypoints, 2 mirror pairs, 2 links, 0 problems'
    assert made in output['make_metainfo False'] and made in output['make_metainfo True']
    assert '4 samples, 0 cannot be read' in output['check_dataset False']
    assert (own_people / 'targets.png').is_file()
    assert (own_people / 'work_dirs/my_pose/epoch_1.pth').is_file()
    assert 'coco/AP' in output['test False']
    assert list(output) == [
        'make_metainfo False',
        'make_metainfo True',
        'check_dataset False',
        'train False',
        'test False',
    ]
