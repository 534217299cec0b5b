# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Folders that cannot be written and disks that are full: said at once, and nothing half-written is left."""

import os

import numpy as np
import pytest
import torch
from data_checks.own_layout import make_metainfo, write_metainfo
from mmengine.config import Config
from runs import launch

from sapiens_pretrain.data.shards import (
    ShardedImages,
    index_path,
    pack_shard,
    save_index,
    scan_shard,
)
from sapiens_train.checkpoint_files import find_newest_checkpoint, save_checkpoint_file

CHECKPOINT = {
    'meta': {'iter': 1, 'epoch': 0},
    'state_dict': {'w': torch.zeros(50_000)},
    'optimizer': {},
    'message_hub': {},
}


def test_checkpoint_in_a_read_only_folder(read_only):
    with read_only() as folder:
        with pytest.raises(
            OSError, match='Permission denied.*Is the disk full or the folder read-'
        ):
            save_checkpoint_file(CHECKPOINT, folder / 'iter_1.pth')
        assert os.listdir(folder) == []


def test_checkpoint_on_a_full_disk(tmp_path, full_disk):
    save_checkpoint_file(CHECKPOINT, tmp_path / 'iter_1.pth')
    with full_disk(100_000), pytest.raises(OSError, match='iter_2.pth could not be written'):
        save_checkpoint_file(CHECKPOINT, tmp_path / 'iter_2.pth')
    assert os.listdir(tmp_path) == ['iter_1.pth']
    assert find_newest_checkpoint(tmp_path).name == 'iter_1.pth'


@pytest.mark.parametrize('place', ['read only', 'below a file'])
def test_work_dir(read_only, place):
    with read_only() as folder:
        below = folder / 'run' if place == 'read only' else f'{__file__}/run'
        config = Config({'work_dir': str(below), 'launcher': 'none'})
        with pytest.raises(ValueError, match='run cannot be written .*--work-dir'):
            launch.build_runner(config)


def test_metainfo(read_only, tmp_path):
    info = make_metainfo({'keypoints': ['a']}, 'mine')
    with read_only() as folder, pytest.raises(ValueError, match='a.py cannot be written'):
        write_metainfo(info, folder / 'a.py', 'test')
    write_metainfo(info, tmp_path / 'a.py', 'test')
    with pytest.raises(ValueError, match='a.py exists; edits in it would be lost'):
        write_metainfo(info, tmp_path / 'a.py', 'test')


def test_shards(tmp_path, full_disk, monkeypatch):
    image = np.random.default_rng(0).bytes(50_000)
    with full_disk(20_000), pytest.raises(OSError, match=r'a\.tar could not be written'):
        pack_shard(tmp_path / 'a.tar', [('0', image, {'name': 'a.jpg'})])
    assert os.listdir(tmp_path) == []
    # A folder of shards that others own is still read; the index is made anew each time.
    pack_shard(tmp_path / 'a.tar', [('0', image, {'name': 'a.jpg'})])
    index_path(tmp_path / 'a.tar').unlink()
    with full_disk(10):
        assert len(ShardedImages([tmp_path / 'a.tar'])) == 1
    assert os.listdir(tmp_path) == ['a.tar']
    save_index(tmp_path / 'a.tar', scan_shard(tmp_path / 'a.tar'))
