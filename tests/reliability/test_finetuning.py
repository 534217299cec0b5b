# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The walk-through of docs/finetuning.md: own points and own classes by LoRA, as it is written there."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sapiens_common.checkpoint import read_checkpoint


@pytest.fixture
def folder(own_people):
    """A folder as the walk-through supposes it, with four photos for each split of each task."""
    rng = np.random.default_rng(0)
    for split in ('train', 'val'):
        garments = own_people / 'data/garments' / split
        for name in ('images', 'segmentations'):
            (garments / name).mkdir(parents=True)
        for number in range(4):
            image = cv2.resize(rng.integers(0, 256, (8, 6, 3), np.uint8), (96, 128))
            cv2.imwrite(str(garments / f'images/{number}.jpg'), image)
            labels = rng.integers(0, 5, (4, 3), np.uint8).repeat(32, 0).repeat(32, 1)
            cv2.imwrite(str(garments / f'segmentations/{number}.png'), labels)
    return own_people


@pytest.fixture
def page(root):
    return root / 'docs/finetuning.md'


@pytest.fixture
def walk(page, root, folder):
    """Commands of the walk-through, whose configs are written into the folder."""
    text = page.read_text('utf-8')
    start, tables = text.index('## Your own keypoints'), text.index('## Which way fits')
    text = text[start:tables] + text[text.index('## What a checkpoint holds') :]
    for block in re.findall(r'```python\n(.*?)```', text, re.DOTALL):
        if '_base_ = ' in block:
            block = re.sub('^   ', '', block, flags=re.MULTILINE) if block[0] == ' ' else block
            name = 'my_pose.py' if 'pose/' in block else 'my_garments.py'
            (folder / name).write_text(block.replace("'configs/", f"'{root}/configs/"))
    return re.findall(r'^ *((?:python|bash) tools/.*)$', text, re.MULTILINE)


@pytest.mark.slow
def test_walk_through(root, page, folder, walk, one_epoch, monkeypatch, run_command):
    monkeypatch.chdir(folder)
    said = []
    for command in walk:
        trains = 'tools/dist_train.sh' in command or 'tools/test.py' in command
        command = command.replace('epoch_20', 'epoch_1')
        said.append(run_command(command, *(one_epoch if trains else [])))
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
    assert len(changed) == 12 and all(value.any() for value in changed)
    merged = read_checkpoint('my_model.pth').state_dict
    # The adapter is below 2 % of the model. The head, which has no base, goes with it, and little else.
    parts = {
        part: sum(v.nbytes for n, v in stored.items() if n.startswith(part))
        for part in ('backbone.', 'head.')
    }
    assert parts['backbone.'] < 0.02 * sum(v.nbytes for v in merged.values())
    assert Path('my_points.safetensors').stat().st_size < sum(parts.values()) + 64 * 1024
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
    (example,) = re.findall(r'```python\n(from.*?)```', page.read_text('utf-8'), re.DOTALL)
    exec(example.replace('epoch_20', 'epoch_1'), {})
