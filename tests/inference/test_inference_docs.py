# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The examples of docs/inference.md run, with very small models in the place of the published ones."""

import re
import shlex

import cv2
import demo
import numpy as np
import pytest

import sapiens_inference.engine.models as models


def blocks(root, language):
    text = (root / 'docs/inference.md').read_text()
    return re.findall(rf'```{language}\n(.*?)```', text, re.DOTALL)


@pytest.fixture
def desk(tmp_path, monkeypatch, photo, small_config, small_checkpoint):
    """A working folder with the files that the page names, and small models behind its names."""
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'masks').mkdir()
    for seed, name in enumerate(('photos/a.jpg', 'photos/b.png', 'photo.jpg')):
        cv2.imwrite(str(tmp_path / name), photo(seed))
    cv2.imwrite(str(tmp_path / 'masks/photo.png'), np.full((48, 64), 255, np.uint8))
    writer = cv2.VideoWriter(
        str(tmp_path / 'people.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 10, (64, 48)
    )
    for seed in range(3):
        writer.write(photo(seed))
    writer.release()
    monkeypatch.chdir(tmp_path)

    def task_of(name):
        return re.fullmatch(r'sapiens_1b/(\w+?)_\w+', str(name))[1]

    monkeypatch.setattr(models, 'find_config', lambda name: tmp_path / f'{task_of(name)}.py')
    monkeypatch.setattr(models, 'find_weights', lambda name: small_checkpoint(task_of(name)))
    for task in ('pose', 'seg', 'depth', 'normal'):
        small_config(task).dump(tmp_path / f'{task}.py')
    return tmp_path


def test_python_examples_run(root, desk):
    examples = blocks(root, 'python')
    assert len(examples) == 4
    for example in examples:
        exec(compile(example, 'docs/inference.md', 'exec'), {})
    assert (desk / 'out/pose/people.json').is_file() and (desk / 'out/sheet/a.jpg').is_file()


def test_commands_parse(root):
    lines = [line for block in blocks(root, 'bash') for line in block.splitlines()]
    lines = [line for line in lines if line.startswith('python tools/demo.py')]
    commands = [shlex.split(line, comments=True) for line in lines]
    assert len(commands) >= 7
    for command in commands:
        demo.parse_args(command[2:])
