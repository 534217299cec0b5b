# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The walk-through of docs/finetuning.md: own points and own classes by LoRA, as it is written there."""

import json
import os
import re
import runpy
import shlex
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from sapiens_common.checkpoint import read_checkpoint

NAMES = ['nose', 'left_hand', 'right_hand', 'left_foot', 'right_foot', 'tip_of_the_hat']


@pytest.fixture
def folder(tmp_path):
    """A folder as the walk-through supposes it, with four photos for each split of each task."""
    rng = np.random.default_rng(0)

    def photo(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.resize(rng.integers(0, 256, (8, 6, 3), np.uint8), (96, 128)))

    mine, garments = tmp_path / 'data/mine', tmp_path / 'data/garments'
    category = {'id': 1, 'name': 'person', 'keypoints': NAMES, 'skeleton': [[1, 2], [1, 3]]}
    for split in ('train', 'val'):
        images, annotations = [], []
        (garments / split / 'segmentations').mkdir(parents=True)
        for number in range(4):
            photo(mine / f'images/{split}_{number}.jpg')
            name = f'{split}_{number}.jpg'
            images.append({'id': number, 'file_name': name, 'width': 96, 'height': 128})
            points = np.concatenate([rng.uniform(20, 76, (len(NAMES), 2)), np.full((6, 1), 2)], 1)
            annotation = {'id': number, 'image_id': number, 'category_id': 1, 'iscrowd': 0}
            annotation |= {'bbox': [10, 10, 76, 100], 'area': 7600, 'num_keypoints': 6}
            annotations.append({**annotation, 'keypoints': points.ravel().tolist()})

            photo(garments / split / f'images/{number}.jpg')
            labels = rng.integers(0, 5, (4, 3), np.uint8).repeat(32, 0).repeat(32, 1)
            cv2.imwrite(str(garments / split / f'segmentations/{number}.png'), labels)
        content = {'images': images, 'annotations': annotations, 'categories': [category]}
        (mine / f'{split}.json').write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def walk(root, folder):
    """Commands of the walk-through, whose configs are written into the folder."""
    text = (root / 'docs/finetuning.md').read_text(encoding='utf-8')
    text = text[text.index('## Your own points') :]
    for block in re.findall(r'```python\n(.*?)```', text, re.DOTALL):
        if '_base_ = ' in block:
            block = re.sub('^   ', '', block, flags=re.MULTILINE) if block[0] == ' ' else block
            name = 'my_pose.py' if 'pose/' in block else 'my_garments.py'
            (folder / name).write_text(block.replace("'configs/", f"'{root}/configs/"))
    return [
        line.split('  #')[0]
        for line in re.findall(r'^ *((?:python|bash) tools/.*)$', text, re.MULTILINE)
    ]


SMALL = ['--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=2']
SMALL += [
    f'{split}_dataloader.{option}'
    for split in ('train', 'val', 'test')
    for option in ('num_workers=0', 'persistent_workers=False')
]


@pytest.mark.slow
def test_walk_through(root, folder, walk, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable}
    said = []
    for command in walk:
        interpreter, tool, *arguments = shlex.split(command.replace('epoch_20', 'epoch_1'))
        if interpreter == 'bash':
            words = ['bash', str(root / tool), *arguments, *SMALL]
            run = subprocess.run(words, env=environment, capture_output=True, text=True)
            assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
            continue
        arguments += SMALL if tool == 'tools/test.py' else []
        monkeypatch.setattr(sys, 'argv', [tool, *arguments])
        try:
            runpy.run_path(str(root / tool), run_name='__main__')
        except SystemExit as status:
            assert not status.code, command
        captured = capsys.readouterr()
        said.append(captured.out + captured.err)
    assert '6 keypoints, 2 mirror pairs' in said[0]
    assert any('coco/AP' in text for text in said) and any('mIoU' in text for text in said)
    assert len(list((folder / 'results/pose').glob('*_?.json'))) == 8

    base = read_checkpoint(
        root / 'multitask/sapiens_multitask/data/sapiens_tiny_multitask_synthetic.safetensors'
    )
    # Statistics of the stem's batch norms are no weights: they stay beside the tuned part.
    encoder = {n for n in base.state_dict if n.startswith('backbone.') and '.stem.' not in n}
    stored = read_checkpoint('my_points.safetensors').state_dict
    assert stored['head.final_layer.weight'].shape[0] == 6
    assert not encoder & stored.keys()
    changed = [v for n, v in stored.items() if n.endswith('.lora_B')]
    assert len(changed) == 24 and all(value.any() for value in changed)
    merged = read_checkpoint('my_model.pth').state_dict
    assert encoder <= merged.keys() and not any('lora' in name for name in merged)

    from sapiens_inference.loading import load_task
    from sapiens_pretrain.models.tuning import share_base

    tuned = load_task('pose', 'work_dirs/my_pose/epoch_1.pth', dtype='float32')
    plain = load_task('pose', 'my_model.pth', dtype='float32')
    image = torch.randn(1, 3, 256, 192)
    with torch.no_grad():
        expected = tuned.loaded.model(image, None)
        torch.testing.assert_close(plain.loaded.model(image, None), expected, rtol=1e-5, atol=1e-5)
    parts = load_task('seg', 'work_dirs/my_garments/epoch_1.pth', dtype='float32')
    frozen = sum(p.numel() * 4 for p in plain.loaded.model.backbone.parameters())
    assert share_base(tuned.loaded.model, parts.loaded.model) == frozen
    with torch.no_grad():
        assert torch.equal(tuned.loaded.model(image, None), expected)
