# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

NOBODY = 65534
POINTS = ['nose', 'left_hand', 'right_hand', 'left_foot', 'right_foot', 'tip_of_the_hat']


@pytest.fixture
def own_people(tmp_path):
    """A folder with `data/mine`: four photos and a COCO file of six points for each split."""
    rng = np.random.default_rng(0)
    folder = tmp_path / 'data/mine'
    (folder / 'images').mkdir(parents=True)
    category = {'id': 1, 'name': 'person', 'keypoints': POINTS, 'skeleton': [[1, 2], [1, 3]]}
    for split in ('train', 'val'):
        content = {'images': [], 'annotations': [], 'categories': [category]}
        for number in range(4):
            name = f'{split}_{number}.jpg'
            image = cv2.resize(rng.integers(0, 256, (8, 6, 3), np.uint8), (96, 128))
            cv2.imwrite(str(folder / 'images' / name), image)
            points = np.concatenate([rng.uniform(20, 76, (len(POINTS), 2)), np.full((6, 1), 2)], 1)
            content['images'].append({'id': number, 'file_name': name, 'width': 96, 'height': 128})
            annotation = {'id': number, 'image_id': number, 'category_id': 1, 'iscrowd': 0}
            annotation |= {'bbox': [10, 10, 76, 100], 'area': 7600, 'num_keypoints': len(POINTS)}
            content['annotations'].append({**annotation, 'keypoints': points.ravel().tolist()})
        (folder / f'{split}.json').write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def one_epoch():
    """Options of `tools/train.py` and `tools/test.py` for one epoch in this process."""
    options = ['--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=2']
    for split in ('train', 'val', 'test'):
        options += [
            f'{split}_dataloader.{o}' for o in ('num_workers=0', 'persistent_workers=False')
        ]
    return options


@pytest.fixture
def read_only():
    """`with read_only() as folder`: a folder in which this process may read but not write.

    The system administrator may write anywhere, so for the block the process is somebody else.
    """

    @contextmanager
    def make():
        with tempfile.TemporaryDirectory() as name:
            os.chmod(name, 0o555)
            administrator = os.geteuid() == 0
            if administrator:
                os.seteuid(NOBODY)
            try:
                yield Path(name)
            finally:
                if administrator:
                    os.seteuid(0)
                os.chmod(name, 0o755)

    return make


@pytest.fixture
def full_disk():
    """`with full_disk(size)`: no file can grow beyond some bytes; the system itself refuses the write."""
    resource = pytest.importorskip('resource')

    @contextmanager
    def limit(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit
