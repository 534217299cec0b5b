# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Readers find the same sorted samples in every process, read every format, and name what is wrong."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from mmengine.registry import DATASETS
from PIL import Image

from sapiens_common.files.maps import read_mask
from sapiens_common.layouts.body_parts import BODY_PART_PALETTE
from sapiens_depth_normal.datasets import DenseFolderDataset, THuman2Renders
from sapiens_depth_normal.datasets.exr import choose_channels
from sapiens_depth_normal.datasets.files import read_depth, read_normal
from sapiens_depth_normal.transforms import LoadMaps, NormalizeDepth, PackMaps

H, W = 12, 9
DEPTH = np.linspace(1, 3, H * W).reshape(H, W).astype(np.float32)
NORMAL = np.random.default_rng(0).normal(size=(H, W, 3)).astype(np.float32)
NORMAL[..., 2] = abs(NORMAL[..., 2])  # to the camera, as what it sees
NORMAL /= np.linalg.norm(NORMAL, axis=-1, keepdims=True)
MASK = np.zeros((H, W), np.uint8)
MASK[2:9, 1:7] = 255


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.npy':
        np.save(path, values)
    elif path.suffix == '.npz':
        np.savez(path, values)
    else:
        assert cv2.imwrite(str(path), values)


def write_sample(root, name, folders=('rgb', 'mask', 'depth', 'normal'), image='.png'):
    values = (np.full((H, W, 3), 90, np.uint8), MASK, DEPTH, NORMAL)
    for folder, suffix, value in zip(folders, (image, '.png', '.npy', '.npy'), values, strict=True):
        write(root / folder / f'{name}{suffix}', value)


def dataset(root, targets=('depth', 'normal'), **kwargs):
    return DenseFolderDataset(data_root=str(root), targets=targets, **kwargs)


def ids(found):
    return [found.get_data_info(index)['sample_id'] for index in range(len(found))]


@pytest.mark.parametrize(
    'folders', [('rgb', 'mask', 'depth', 'normal'), ('images', 'masks', 'depths', 'normals')]
)
def test_layouts(tmp_path, folders):
    for name, image in (('b', '.PNG'), ('a', '.jpg'), ('sub/c', '.webp'), ('d', '.JPEG')):
        write_sample(tmp_path, name, folders, image)
    (tmp_path / folders[0] / 'Thumbs.db').write_text('no image')
    found = dataset(tmp_path, framing='face')
    assert ids(found) == ['a', 'b', 'd', 'sub/c']
    sample = LoadMaps()(found.get_data_info(3))
    assert sample['framing'] == 'face' and sample['ori_shape'] == (H, W)
    inside = MASK > 0
    np.testing.assert_array_equal(sample['mask'], inside)
    np.testing.assert_array_equal(sample['gt_depth_map'][inside], DEPTH[inside])
    np.testing.assert_allclose(sample['gt_normal_map'][inside], NORMAL[inside], atol=1e-6)
    assert not sample['gt_depth_map'][~inside].any() and not sample['gt_normal_map'][~inside].any()


def test_only_common_names_and_lists(tmp_path, caplog):
    for name in 'abc':
        write_sample(tmp_path, name)
    (tmp_path / 'mask/b.png').unlink()
    assert ids(dataset(tmp_path)) == ['a', 'c']
    (tmp_path / 'val.txt').write_bytes(b'c\r\n\r\n')
    assert ids(dataset(tmp_path, ann_file='val.txt')) == ['c']
    (tmp_path / 'val.txt').write_text('c\nb\n')
    with pytest.raises(ValueError, match=r"val\.txt: 1 of 2 names have no .* first 'b'"):
        dataset(tmp_path, ann_file='val.txt')
    with pytest.raises(ValueError, match=r'none\.txt does not exist'):
        dataset(tmp_path, ann_file='none.txt')


def test_masks_from_elsewhere(tmp_path):
    write_sample(tmp_path / 'set', 'a')
    write(tmp_path / 'people/a.npy', np.ones((H, W), bool))
    found = dataset(tmp_path / 'set', folders={'mask': str(tmp_path / 'people')})
    assert LoadMaps()(found.get_data_info(0))['mask'].all()


def test_scan_layouts(tmp_path):
    images = []
    for index, framing in enumerate(('face', 'upper', 'full')):
        write_sample(tmp_path / 'th', f'00000{index}')
        images.append(dict(file_name=f'00000{index}.png', framing=framing))
    with pytest.raises(ValueError, match=r'th/annotations does not exist; it tells the framing'):
        THuman2Renders(data_root=str(tmp_path / 'th'), targets=['depth'])
    (tmp_path / 'th/annotations').mkdir()
    (tmp_path / 'th/annotations/train.json').write_text('{}')
    with pytest.raises(ValueError, match=r'train\.json is not a COCO file'):
        THuman2Renders(data_root=str(tmp_path / 'th'), targets=['depth'])
    (tmp_path / 'th/annotations/train.json').write_text(json.dumps(dict(images=images[:2])))
    with pytest.raises(ValueError, match=r"1 of 3 samples have no framing in .*first '000002'"):
        THuman2Renders(data_root=str(tmp_path / 'th'), targets=['depth'])
    (tmp_path / 'th/annotations/val.json').write_text(json.dumps(dict(images=images[2:])))
    found = THuman2Renders(data_root=str(tmp_path / 'th'), targets=['depth'])
    assert [found.get_data_info(i)['framing'] for i in range(3)] == ['face', 'upper', 'full']


def test_two_processes_see_disjoint_samples_that_cover_the_set(tmp_path):
    for index in range(11):
        write_sample(tmp_path, f'person{index}')
    code = (
        'import sys; from mmengine.registry import DATASETS; from unittest import mock\n'
        'from mmengine.dataset import sampler\n'
        'rank = int(sys.argv[2])\n'
        'data = DATASETS.build(dict(type="sapiens_depth_normal.DenseFolderDataset",'
        ' data_root=sys.argv[1], targets=["depth"]))\n'
        'with mock.patch.object(sampler, "get_dist_info", lambda: (rank, 2)):\n'
        '    order = list(sampler.DefaultSampler(data, seed=3, round_up=False))\n'
        'print(*(data.get_data_info(i)["sample_id"] for i in order))\n'
    )
    # The reference's order came from hashes of strings, which differ between processes.
    processes = []
    for rank in (0, 1):
        environment = {
            **os.environ,
            'PYTHONHASHSEED': str(rank + 1),
            'PYTHONPATH': os.pathsep.join(sys.path),
        }
        command = [sys.executable, '-c', code, str(tmp_path), str(rank)]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        )
    seen = [process.communicate()[0].split('\n')[-2].split() for process in processes]
    assert sorted(seen[0] + seen[1]) == sorted(f'person{index}' for index in range(11))
    assert abs(len(seen[0]) - len(seen[1])) == 1


def test_depth_formats(tmp_path):
    exr = pytest.importorskip('OpenEXR', reason='reading exr files needs OpenEXR')
    header = dict(compression=exr.ZIP_COMPRESSION, type=exr.scanlineimage)
    write(tmp_path / 'a.npy', DEPTH.astype(np.float64))
    write(tmp_path / 'b.npz', DEPTH[..., None].astype(np.float16))
    write(tmp_path / 'c.png', (DEPTH * 1000).round().astype(np.uint16))
    exr.File(header, {'Z': DEPTH}).write(str(tmp_path / 'd.exr'))
    write(tmp_path / 'e.tif', DEPTH)
    write(tmp_path / 'f.TIFF', (DEPTH * 1000).round().astype(np.uint16))
    for name, unit, tolerance in (
        ('a.npy', 1, 1e-7),
        ('b.npz', 1, 2e-3),
        ('c.png', 0.001, 6e-4),
        ('d.exr', 1, 0),
        ('e.tif', 1, 0),
        ('f.TIFF', 0.001, 6e-4),
    ):
        found = read_depth(tmp_path / name, unit)
        assert found.dtype == np.float32 and found.shape == (H, W)
        np.testing.assert_allclose(found, DEPTH, atol=tolerance)


def test_normal_formats(tmp_path):
    exr = pytest.importorskip('OpenEXR', reason='reading exr files needs OpenEXR')
    header = dict(compression=exr.ZIP_COMPRESSION, type=exr.scanlineimage)
    write(tmp_path / 'a.npz', NORMAL)
    write(tmp_path / 'b.png', ((NORMAL[..., ::-1] + 1) / 2 * 255).round().astype(np.uint8))
    write(tmp_path / 'c.png', ((NORMAL[..., ::-1] + 1) / 2 * 65535).round().astype(np.uint16))
    exr.File(header, {'RGB': NORMAL}).write(str(tmp_path / 'd.exr'))
    axes = {axis: np.ascontiguousarray(NORMAL[..., i]) for i, axis in enumerate('XYZ')}
    exr.File(header, axes).write(str(tmp_path / 'e.exr'))
    cv2.imwrite(
        str(tmp_path / 'f.tiff'),
        NORMAL[..., ::-1].astype(np.float32),
        [cv2.IMWRITE_TIFF_COMPRESSION, 1],
    )
    write(tmp_path / 'g.tif', ((NORMAL[..., ::-1] + 1) / 2 * 65535).round().astype(np.uint16))
    for name, tolerance in (
        ('a.npz', 0),
        ('b.png', 5e-3),
        ('c.png', 2e-5),
        ('d.exr', 0),
        ('e.exr', 0),
        ('f.tiff', 0),
        ('g.tif', 2e-5),
    ):
        np.testing.assert_allclose(read_normal(tmp_path / name), NORMAL, atol=tolerance)
    flipped = read_normal(tmp_path / 'a.npz', 'opencv')
    np.testing.assert_array_equal(flipped, NORMAL * [1, -1, -1])


def test_layers_of_a_renderer(tmp_path):
    exr = pytest.importorskip('OpenEXR', reason='reading exr files needs OpenEXR')
    header = dict(compression=exr.ZIP_COMPRESSION, type=exr.scanlineimage)
    axes = {axis: np.ascontiguousarray(NORMAL[..., i], np.float32) for i, axis in enumerate('XYZ')}
    normal = {f'View.Normal.{axis}': values for axis, values in axes.items()}
    colour = {f'View.Combined.{channel}': np.zeros((H, W), np.float32) for channel in 'RGBA'}
    channels = {**colour, **normal, 'View.Depth.Z': DEPTH}
    exr.File(header, channels).write(str(tmp_path / 'all.exr'))
    exr.File(header, normal).write(str(tmp_path / 'normal.exr'))
    np.testing.assert_array_equal(read_depth(tmp_path / 'all.exr'), DEPTH)
    for name in ('all.exr', 'normal.exr'):
        np.testing.assert_allclose(read_normal(tmp_path / name), NORMAL, atol=1e-7)
    exr.File(header, colour | {'Other.V': DEPTH}).write(str(tmp_path / 'none.exr'))
    with pytest.raises(
        ValueError, match=r'none\.exr: .*layer called normal or normals; got .*Other'
    ):
        read_normal(tmp_path / 'none.exr')


@pytest.mark.parametrize(
    ('names', 'found'),
    [
        (['R', 'G', 'B', 'A', 'Z'], ['Z']),
        (['depth.V', 'R', 'G', 'B'], ['depth.V']),
        (['ViewLayer.Depth.Z', 'ViewLayer.Mist.Z'], ['ViewLayer.Depth.Z']),
        (['Y'], ['Y']),
        (['X', 'Y', 'Z'], ['X', 'Y', 'Z']),
        (['A.depth.Z', 'B.depth.Z'], []),
        (['A.V', 'B.V'], []),
    ],
)
def test_the_channels_of_depth(names, found):
    assert choose_channels(names, ('depth', 'z')) == found


def test_mask_formats(tmp_path):
    inside = MASK > 0
    write(tmp_path / 'grey.png', MASK)
    write(tmp_path / 'ids.png', (inside * 7).astype(np.uint8))
    write(tmp_path / 'red.png', np.stack([0 * MASK, 0 * MASK, MASK], -1))
    write(tmp_path / 'cutout.png', np.dstack([np.full((H, W, 3), 99, np.uint8), MASK]))
    write(tmp_path / 'bool.npy', inside)
    # As the segmentation task writes its labels: entries of a palette whose background is no black.
    parts = Image.fromarray((inside * 22).astype(np.uint8)).convert('P')
    parts.putpalette([value for color in BODY_PART_PALETTE for value in color])
    parts.save(tmp_path / 'parts.png')
    Image.fromarray(inside).save(tmp_path / 'one_bit.png')
    for name in (
        'grey.png',
        'ids.png',
        'red.png',
        'cutout.png',
        'bool.npy',
        'parts.png',
        'one_bit.png',
    ):
        np.testing.assert_array_equal(read_mask(tmp_path / name), inside, err_msg=name)
    big = np.kron(MASK, np.ones((16, 16), np.uint8))
    write(tmp_path / 'lossy.jpg', big)
    np.testing.assert_array_equal(read_mask(tmp_path / 'lossy.jpg', 127), big > 0)


def test_relative_depth():
    mask = (MASK > 0).astype(np.uint8)
    relative = NormalizeDepth()(dict(gt_depth_map=DEPTH.copy(), mask=mask))['gt_depth_map']
    inside = relative[mask > 0]
    assert inside.min() == 0 and inside.max() == 1 and not relative[mask == 0].any()
    np.testing.assert_allclose(np.corrcoef(inside, DEPTH[mask > 0])[0, 1], 1)
    for depth, where in ((np.full((H, W), 2.0), mask), (DEPTH, 0 * mask)):
        assert not NormalizeDepth()(dict(gt_depth_map=depth, mask=where))['gt_depth_map'].any()


def test_pack(tmp_path):
    write_sample(tmp_path, 'a')
    packed = PackMaps()(LoadMaps()(dataset(tmp_path).get_data_info(0)))
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, H, W) and sample.sample_id == 'a'
    assert sample.gt_mask.data.shape == sample.gt_depth_map.data.shape == (1, H, W)
    assert sample.gt_normal_map.data.shape == (3, H, W)


def _damage(root, what):
    """Spoil one file of sample `a`; return the file's name and the message to expect."""
    if what == 'mask size':
        write(root / 'mask/a.png', MASK[:5])
        return 'mask/a.png', 'is 9 x 5 pixels, its image 9 x 12'
    if what == 'torn mask':
        write(root / 'mask/a.png', np.random.default_rng(0).integers(0, 2, (H, W)).astype(np.uint8))
        whole = (root / 'mask/a.png').read_bytes()
        (root / 'mask/a.png').write_bytes(whole[:-20])
        return 'mask/a.png', 'cannot be decoded'
    if what == 'empty mask':
        write(root / 'mask/a.png', 0 * MASK)
        return 'mask/a.png', 'is empty'
    if what == 'nan depth':
        write(root / 'depth/a.npy', np.where(DEPTH > 2, np.nan, DEPTH))
        return 'depth/a.npy', 'pixels of the person are NaN or infinite'
    if what == 'depth hole':  # how sensors and renderers write "no depth"
        write(root / 'depth/a.npy', np.where(DEPTH > 2, 0, DEPTH))
        return 'depth/a.npy', r'\d+ of 42 pixels of the person are .* not above 0'
    if what == 'depth size':
        write(root / 'depth/a.npy', DEPTH[:, :4])
        return 'depth/a.npy', 'is 4 x 12 pixels'
    if what == 'depth channels':
        write(root / 'depth/a.npy', NORMAL)
        return 'depth/a.npy', r'expected \(height, width\), got \(12, 9, 3\)'
    if what == 'normal length':
        write(root / 'normal/a.npy', (NORMAL + 1) / 2)
        return 'normal/a.npy', 'are not of unit length'
    if what == 'nan normal':
        write(root / 'normal/a.npy', NORMAL * np.nan)
        return 'normal/a.npy', 'are not of unit length'
    if what == 'normal bytes':  # whose order of channels nobody knows
        write(root / 'normal/a.npy', ((NORMAL + 1) / 2 * 255).round().astype(np.uint8))
        return 'normal/a.npy', r'expected floats in \[-1, 1\], got uint8'
    if what == 'normal channels':
        write(root / 'normal/a.npy', DEPTH)
        return 'normal/a.npy', r'expected \(height, width, 3\), got \(12, 9\)'
    if what == 'torn npy':
        (root / 'depth/a.npy').write_bytes((root / 'depth/a.npy').read_bytes()[:150])
        return 'depth/a.npy', 'cannot be read'
    if what == 'pickle':
        np.save(root / 'depth/a.npy', np.array([{}]), allow_pickle=True)
        return 'depth/a.npy', 'cannot be read'
    (root / 'rgb/a.png').write_bytes(b'no image')
    return 'rgb/a.png', 'cannot be decoded'


@pytest.mark.parametrize(
    'what',
    'mask size|torn mask|empty mask|nan depth|depth hole|depth size|depth channels|normal length|nan normal|'
    'normal bytes|normal channels|torn npy|pickle|image'.split('|'),
)
def test_damage_is_reported_by_file(tmp_path, what):
    write_sample(tmp_path, 'a')
    name, message = _damage(tmp_path, what)
    with pytest.raises(ValueError, match=f'{name}.*{message}'):
        LoadMaps()(dataset(tmp_path).get_data_info(0))


def test_folder_errors(tmp_path):
    with pytest.raises(ValueError, match='no folder of image files: expected .*rgb or .*images'):
        dataset(tmp_path)
    write_sample(tmp_path, 'a')
    with pytest.raises(ValueError, match='expected some of depth, normal'):
        dataset(tmp_path, targets=('colour',))
    write(tmp_path / 'rgb/a.jpg', np.zeros((H, W, 3), np.uint8))
    with pytest.raises(ValueError, match=r'a\.jpg and .*a\.png have the same name'):
        dataset(tmp_path)
    (tmp_path / 'rgb/a.jpg').unlink()
    (tmp_path / 'depth/a.npy').rename(tmp_path / 'depth/b.npy')
    with pytest.raises(
        ValueError, match='no file name is in all folders .*image 1, mask 1, depth 1'
    ):
        dataset(tmp_path)
    write(tmp_path / 'eight.png', MASK)
    with pytest.raises(ValueError, match=r'eight\.png: 8 bits are too few'):
        read_depth(tmp_path / 'eight.png')
    np.savez(tmp_path / 'two.npz', a=DEPTH, b=DEPTH)
    with pytest.raises(
        ValueError, match=r"two\.npz cannot be read: expected one array, got \['a', 'b'\]"
    ):
        read_depth(tmp_path / 'two.npz')
    with pytest.raises(ValueError, match=r"convention 'blender' is not one of"):
        write(tmp_path / 'n.npy', NORMAL)
        read_normal(tmp_path / 'n.npy', 'blender')


def test_registered():
    for name in ('DenseFolderDataset', 'THuman2Renders'):
        assert DATASETS.get(f'sapiens_depth_normal.{name}').__name__ == name
