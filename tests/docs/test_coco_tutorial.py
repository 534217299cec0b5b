# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""docs/coco_tutorial.md, followed step by step on few and small images and for one epoch."""

import csv
import json
import re

import numpy as np
import pytest

SHORTER = {
    '--count 200': '--count 10',
    'dist_train.sh my_coco.py 1 --amp --resume': 'dist_train.sh my_coco.py 1 --amp --resume --cfg-options '
    'train_cfg.max_epochs=1 train_dataloader.batch_size=4 train_dataloader.num_workers=1',
    'epoch_40.pth': 'epoch_1.pth',
}


@pytest.mark.slow
def test_the_page_as_it_stands(root, tmp_path, monkeypatch, run_command):
    text = (root / 'docs/coco_tutorial.md').read_text(encoding='utf-8')
    config, usage, _ = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
    blocks = re.findall(r'```bash\n(.*?)```', text, re.DOTALL)
    commands = [
        line
        for block in blocks[1:]
        for line in block.splitlines()
        if line  # [0] installs
    ]
    assert len(commands) == 7
    for name in ('configs', 'tools'):
        (tmp_path / name).symlink_to(root / name)
    (tmp_path / 'my_coco.py').write_text(config)
    monkeypatch.chdir(tmp_path)
    printed = []
    for command in commands:
        for long, short in SHORTER.items():
            command = command.replace(long, short)
        printed.append(run_command(command))
    assert 'coco/AP' in printed[4]
    with next(tmp_path.glob('work_dirs/my_coco/*/keypoints.csv')).open(newline='') as file:
        assert [row['keypoint'] for row in csv.DictReader(file)][:2] == ['nose', 'left_eye']
    for picture in ('targets.png', 'errors/worst.png'):
        assert (tmp_path / picture).stat().st_size > 1000
    people = json.loads(
        (tmp_path / 'data/coco/annotations/person_keypoints_val2017.json').read_text()
    )
    names = {image['file_name'].removesuffix('.jpg') for image in people['images']}
    assert {path.stem for path in (tmp_path / 'out/pose').glob('0*.json')} == names

    photo = next((tmp_path / 'data/coco/val2017').iterdir())
    usage = usage.replace('epoch_40', 'epoch_1').replace('photo.jpg', str(photo))
    names = {}
    exec(compile(usage, 'docs/coco_tutorial.md', 'exec'), names)
    expected = names['person'].keypoints[0]
    np.testing.assert_allclose(names['found'][0]['keypoints'], expected, atol=1e-2)
