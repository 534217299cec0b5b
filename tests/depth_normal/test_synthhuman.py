# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""SynthHuman's own files: axes, units, holes; and the check that finds a wrong order in any set."""

import re
import shutil

import cv2
import numpy as np
import pytest

from sapiens_depth_normal.datasets import SynthHumanDataset
from sapiens_depth_normal.datasets.files import (
    parse_order,
    read_depth,
    read_intrinsics,
    read_normal,
)
from sapiens_depth_normal.datasets.plausibility import (
    ORDERS,
    angles_by_order,
    check_depth_range,
    check_normals,
)
from sapiens_depth_normal.transforms import LoadMaps, NormalizeDepth, PackMaps, RandomWarp

NUMBERS = ('0000428', '0002192')
TARGETS = ['depth', 'normal', 'alpha']


@pytest.fixture(scope='module')
def folder(root):
    return root / 'tests/data/synthhuman'


def load(folder, number, **kwargs):
    found = SynthHumanDataset(data_root=str(folder), targets=TARGETS)
    names = [found.get_data_info(i)['sample_id'] for i in range(len(found))]
    return LoadMaps(**kwargs)(found.get_data_info(names.index(number)))


def reorder(normals, order):
    """Normals whose axes stand in another order, as a file of that order would be misread."""
    axes, signs = parse_order(order)
    return np.ascontiguousarray(normals[..., axes] * np.float32(signs))


def check_sample(folder, number):
    """What holds for every sample of the set."""
    sample = load(folder, number)
    mask = sample['mask'] > 0
    angles = angles_by_order(sample['gt_normal_map'], sample['gt_depth_map'], mask)
    assert len(angles) == 48 and min(angles, key=angles.get) == 'xyz'
    assert 5 < angles['xyz'] < 38  # loose hair is rough
    found = 0
    for order in set(ORDERS) - {'xyz'}:
        with pytest.raises(ValueError, match=r'of its depth|face the camera'):
            check_normals(
                'n', reorder(sample['gt_normal_map'], order), mask, sample['gt_depth_map']
            )
        found += 1
    assert found == 47
    return sample, mask


@pytest.mark.parametrize('number', NUMBERS)
def test_axes_of_real_samples(folder, number):
    sample, mask = check_sample(folder, number)
    depth, alpha = sample['gt_depth_map'], sample['gt_alpha_map']
    assert sample['img'].shape == (512, 384, 3) and sample['framing'] == 'face'
    assert 1.0 < depth[mask].min() < depth[mask].max() < 1.7  # metres
    assert (alpha[mask] == 1).all() and alpha.max() == 1 and alpha.min() == 0
    # B, G, R are X, Y, Z: OpenCV's order of the same file.
    raw = read_normal(folder / f'normal_{number}.exr')
    np.testing.assert_allclose(raw[mask][:, ::-1], sample['gt_normal_map'][mask], atol=1e-6)


def test_the_third_real_sample(samples, tmp_path):
    for path in (samples / 'synthhuman').glob('*_0000714.*'):
        shutil.copy(path, tmp_path)
    check_sample(tmp_path, '0000714')


def test_partial_alpha_has_no_depth(folder):
    # A mask of every pixel with some alpha takes in thousands without a surface.
    depth = read_depth(folder / 'depth_0000428.exr')
    alpha = cv2.imread(str(folder / 'alpha_0000428.png'), cv2.IMREAD_UNCHANGED)
    holes = (alpha > 0) & (depth == 65504)
    assert holes.sum() == 4509 and alpha[holes].max() < 255
    with pytest.raises(ValueError, match=r'spans 1\.34\d+ to 655\.04, .* set LoadMaps\(no_surface'):
        load(folder, '0000428', mask_threshold=0, no_surface=1e10)
    sample = load(folder, '0000428', mask_threshold=0)
    assert sample['mask'].sum() == ((alpha > 0) & (depth < 65504)).sum()


@pytest.mark.parametrize('kind', ['rgb', 'alpha', 'depth', 'normal'])
def test_a_file_that_is_cut_off_is_named(folder, tmp_path, kind):
    for path in folder.glob('*_0002192.*'):
        shutil.copy(path, tmp_path)
    (path,) = tmp_path.glob(f'{kind}_*')
    content = path.read_bytes()
    for share in (0, 0.02, 0.6, 0.999):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ValueError, match=f'{re.escape(str(path))}.*(cannot|damaged|empty)'):
            load(tmp_path, '0002192')


def test_arguments_go_before_the_format_of_the_set(folder):
    assert load(folder, '0002192', depth_unit=1.0)['gt_depth_map'].max() > 100
    with pytest.raises(
        ValueError, match='if the axes read as x, y, z are z, y, x; see channel_order'
    ):
        load(folder, '0002192', channel_order='xyz')
    assert 'gt_normal_map' in load(folder, '0002192', channel_order='xyz', plausible=False)
    with pytest.raises(ValueError, match=r"channel_order 'xxz': expected the letters x, y and z"):
        LoadMaps(channel_order='xxz')


def test_a_training_sample(folder):
    sample = load(folder, '0000428')
    for step in (RandomWarp((128, 96)), NormalizeDepth(), PackMaps()):
        sample = step(sample)
    packed = sample['data_samples']
    alpha = packed.gt_alpha_map.data
    assert alpha.shape == packed.gt_mask.data.shape == (1, 128, 96)
    assert ((alpha > 0) & (alpha < 1)).any()  # soft after the warp


@pytest.fixture
def small(tmp_path):
    """Files of the flat layout, one pixel each."""
    for number in ('0000000', '0000099', '0000100', '0098040', '0198016', '0298000'):
        for name in ('rgb_{}.png', 'alpha_{}.png', 'depth_{}.exr', 'normal_{}.exr'):
            (tmp_path / name.format(number)).touch()
    (tmp_path / 'rgb_0000002.png').touch()  # the rest of it is in a chunk not extracted yet
    (tmp_path / 'LICENSE.txt').touch()
    return tmp_path


def test_layout_split_and_framings(small):
    def ids(**kwargs):
        found = SynthHumanDataset(data_root=str(small), targets=['depth'], **kwargs)
        rows = [found.get_data_info(i) for i in range(len(found))]
        return {row['sample_id']: row['framing'] for row in rows}

    everything = ids()
    assert everything == {
        '0000000': 'face', '0000099': 'face', '0000100': 'face',
        '0098040': 'full', '0198016': 'upper', '0298000': 'upper',
    }  # fmt: skip
    held_out = ids(split='val')
    assert list(held_out) == ['0000000', '0000100', '0298000']
    assert ids(split='train').keys() == everything.keys() - held_out.keys()
    (small / 'list.txt').write_text('0000099\n')
    assert list(ids(ann_file='list.txt')) == ['0000099']


def test_camera_files_are_optional(small):
    (small / 'cam_0000099.txt').write_text('500 0 192\n0 500 256\n0 0 1\n')
    found = SynthHumanDataset(data_root=str(small), targets=['depth', 'camera'])
    assert [found.get_data_info(0)['sample_id'], len(found)] == ['0000099', 1]
    np.testing.assert_array_equal(
        read_intrinsics(small / 'cam_0000099.txt'), [[500, 0, 192], [0, 500, 256], [0, 0, 1]]
    )
    (small / 'cam_0000099.txt').write_text('500 0 192 0 500 256')
    with pytest.raises(ValueError, match=r'cam_0000099\.txt: expected 3 x 3 numbers'):
        read_intrinsics(small / 'cam_0000099.txt')
    (small / 'cam_0000099.txt').write_text('1 0 0 2 0 1 0 3 0 0 1 4')
    with pytest.raises(ValueError, match='expected 3 x 3 numbers'):
        read_intrinsics(small / 'cam_0000099.txt')
    (small / 'cam_0000099.txt').write_text('1 0 0 0 -1 0 0 0 1')
    with pytest.raises(ValueError, match='expected focal lengths in pixels on the diagonal'):
        read_intrinsics(small / 'cam_0000099.txt')


def test_errors(small, tmp_path):
    for arguments, message in (
        (dict(split='test'), "split 'test' is neither 'train' nor 'val'"),
        (dict(targets=['albedo']), r"SynthHuman has no \['albedo'\]"),
        (dict(data_root='/none'), '/none does not exist'),
        (dict(targets=['camera']), 'no file name is in all folders .*camera 0'),
    ):
        with pytest.raises(ValueError, match=message):
            SynthHumanDataset(**{'data_root': str(small), 'targets': ['depth'], **arguments})


def test_depth_range():
    depth, mask = np.full((8, 8), 2.0, np.float32), np.ones((8, 8), bool)
    check_depth_range('d', depth, mask)
    for mark in (65504, 1e10):
        depth[0, 0] = mark
        with pytest.raises(ValueError, match=re.escape(f'spans 2 to {mark:g}')):
            check_depth_range('d', depth, mask)
        mask[0, 0] = False
        check_depth_range('d', depth, mask)
        mask[0, 0] = True


def test_a_flat_surface_proves_nothing():
    # Every order of (0, 0, 1) that keeps Z agrees with a flat depth: none is called wrong.
    mask = np.ones((40, 30), bool)
    normals = np.zeros((40, 30, 3), np.float32)
    normals[..., 2] = 1
    check_normals('n', normals, mask, np.full((40, 30), 2.0, np.float32))
    with pytest.raises(ValueError, match='only 0% of the normals face the camera'):
        check_normals('n', -normals, mask)
    assert angles_by_order(normals, mask.astype(np.float32), mask & False) == {}
    assert angles_by_order(normals[:6], mask[:6].astype(np.float32), mask[:6]) == {}
