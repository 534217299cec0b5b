# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""`check_dataset.py` names a wrong channel order, sign or unit of depth and normals, on real files."""

import shutil

import numpy as np
import pytest

from sapiens_depth_normal.datasets.files import parse_order, read_depth, read_normal

CONFIG = """
load = dict(type='sapiens_depth_normal.LoadMaps', {load})
train_dataloader = dict(dataset=dict(
    type='sapiens_depth_normal.{type}', data_root='{root}', targets={targets},
    pipeline=[load, dict(type='sapiens_depth_normal.PackMaps')]))
val_dataloader = test_dataloader = None
"""


@pytest.fixture
def check(root, tmp_path, exit_of):
    """`check(load, type, root, targets)`: exit code and output of the command."""

    def run(load='', type='SynthHumanDataset', folder=None, targets=('depth', 'normal')):
        config = tmp_path / 'config.py'
        place = folder or root / 'tests/data/synthhuman'
        config.write_text(CONFIG.format(load=load, type=type, root=place, targets=targets))
        return exit_of('tools/data/check_dataset.py', config, '--workers', 0)

    return run


def test_real_samples_as_they_are(check):
    status, output = check()
    assert status == 0, output
    assert 'depth of people: 1.2' in output and 'normals that face the camera: 97' in output
    assert 'the best of 48 orders and signs' in output


def test_wrong_settings(check):
    status, output = check("channel_order='xyz', depth_unit=1.0")
    assert status == 1
    assert 'PROBLEM normals: their axes, read as x, y, z, are z, y, x by the gradient' in output
    assert 'centimetres (times 0.01)' in output and 'set LoadMaps(depth_unit=...)' in output
    # Each file is refused as well, as it is in training.
    assert output.count('but 32 if the axes read as x, y, z are z, y, x') == 1
    _, output = check("convention='opencv'")
    assert 'read as x, y, z, are x, -y, -z by the gradient' in output


@pytest.mark.parametrize('order', ['-xyz', 'y-xz'])
def test_any_other_set(check, root, tmp_path, order):
    # A folder of our own whose config reads depth alone: the normals beside it are looked at too.
    source, folder = root / 'tests/data/synthhuman', tmp_path / 'set'
    for kind in ('rgb', 'mask', 'depth', 'normal'):
        (folder / kind).mkdir(parents=True)
    for number in ('0000428', '0002192'):
        shutil.copy(source / f'rgb_{number}.png', folder / f'rgb/{number}.png')
        shutil.copy(source / f'alpha_{number}.png', folder / f'mask/{number}.png')
        depth = read_depth(source / f'depth_{number}.exr', 0.01)
        normals = read_normal(source / f'normal_{number}.exr', channel_order='zyx')
        axes, signs = parse_order(order)
        np.save(folder / f'depth/{number}.npy', depth)
        np.save(folder / f'normal/{number}.npy', normals[..., axes] * np.float32(signs))
    status, output = check('mask_threshold=254', 'DenseFolderDataset', folder, ('depth',))
    assert status == 1
    named = {'-xyz': '-x, y, z', 'y-xz': 'y, -x, z'}[order]
    assert f'PROBLEM normals: their axes, read as x, y, z, are {named} by the gradient' in output
    assert output.endswith('1 problems\n')  # the depth alone is good
