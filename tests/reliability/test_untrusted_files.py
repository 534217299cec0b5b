# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Nothing that stands in a file of others runs, or reaches a place outside of its folder.

Checkpoints with code: tests/common/test_checkpoint.py; arrays with code: test_bad_files.py here; paths in
annotations: tests/common/test_paths.py.
"""

import io
import tarfile

import cv2
import numpy as np
import pytest

from sapiens_depth_normal.datasets import DenseFolderDataset
from sapiens_inference.inputs.sources import open_inputs
from sapiens_pretrain.data.shards import ShardedImages, index_path
from sapiens_pretrain.data.sources import open_images
from sapiens_seg.datasets import BodyPartDataset

PHOTO = cv2.imencode('.jpg', np.zeros((64, 48, 3), np.uint8))[1].tobytes()
NAMES = ['../evil.jpg', '../../evil.jpg', '/tmp/evil_of_a_test.jpg', 'a/../../evil.jpg', 'good.jpg']


def everything_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*'))


@pytest.fixture
def shard(tmp_path):
    """A shard whose members point out of it, by their names and by links."""
    (tmp_path / 'deep/down').mkdir(parents=True)
    path = tmp_path / 'deep/down/shard.tar'
    (tmp_path / 'secret.jpg').write_bytes(b'secret')
    with tarfile.open(path, 'w') as archive:
        for name in NAMES:
            member = tarfile.TarInfo(name)
            member.size = len(PHOTO)
            archive.addfile(member, io.BytesIO(PHOTO))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo('link.jpg')
            member.type, member.linkname = kind, str(tmp_path / 'secret.jpg')
            archive.addfile(member)
    return path


def test_members_stay_in_the_archive(shard, tmp_path):
    before = everything_below(tmp_path)
    images = open_images(shard)
    assert len(images) == len(NAMES)  # and no link among them
    for position, name in enumerate(NAMES):
        assert images.read(position) == (f'{shard}/{name}', PHOTO)
    index = str(index_path(shard).relative_to(tmp_path))
    assert everything_below(tmp_path) == sorted([*before, index])


@pytest.mark.parametrize('row', [(-5, 10), (512, -1), (512, 2**50), (2**50, 10)])
def test_an_index_that_points_elsewhere(shard, row):
    open_images(shard)
    index = np.load(index_path(shard))
    index[1] = row
    np.save(index_path(shard), index)
    with pytest.raises(ValueError, match='shard.tar.index.npy is damaged'):
        ShardedImages([shard]).read(0)


def test_an_index_into_the_middle_of_things(shard):
    open_images(shard)
    index = np.load(index_path(shard))
    index[1, 0] += 100
    np.save(index_path(shard), index)
    with pytest.raises(ValueError, match='shard.tar is damaged before image 0'):
        ShardedImages([shard]).read(0)


def test_lists_choose_among_the_files_of_their_folder(tmp_path):
    for name in ('set/images/a.jpg', 'set/masks/a.jpg', 'set/depths/a.png', 'outside/a.jpg'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(PHOTO)
    for line in ('../../outside/a', str(tmp_path / 'outside/a')):
        (tmp_path / 'set/list.txt').write_text(line)
        options = {'data_root': str(tmp_path / 'set'), 'ann_file': 'list.txt'}
        with pytest.raises(ValueError, match='list.txt lists .*outside/a'):
            BodyPartDataset('goliath', **options)
        with pytest.raises(ValueError, match='1 of 1 names have no image'):
            DenseFolderDataset(targets=('depth',), **options)


def test_results_of_a_list_stay_in_the_output_folder(tmp_path):
    # A list of inputs is the user's own choice of files; where results go is not the list's.
    (tmp_path / 'list.txt').write_text('../../a.jpg\n/etc/b.jpg\nsub/../../c.jpg\n')
    names = [item.name for item in open_inputs(str(tmp_path / 'list.txt')).items]
    assert names == ['a', 'b', 'c']
