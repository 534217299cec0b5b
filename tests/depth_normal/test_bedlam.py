# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""BEDLAM's layouts, as its render tools write them: frames by sequence, masks per person and part."""

import os

import cv2
import numpy as np
import pytest
from short_training import heads_without_gradient, train

from sapiens_depth_normal.datasets import BedlamDataset
from sapiens_depth_normal.transforms import LoadMaps

exr = pytest.importorskip('OpenEXR', reason='reading exr files needs OpenEXR')
H, W = 24, 32
DEPTH = np.tile(np.linspace(250, 310, W, dtype=np.float32), (H, 1))  # centimetres
BODY, HAIR = np.zeros((H, W), np.uint8), np.zeros((H, W), np.uint8)
BODY[8:20, 4:14], HAIR[4:8, 6:10] = 255, 255


def write(path, values, channel=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    if channel:
        header = dict(compression=exr.ZIP_COMPRESSION, type=exr.scanlineimage)
        exr.File(header, {channel: values}).write(str(path))
    else:
        assert cv2.imwrite(str(path), values)


@pytest.fixture
def first(tmp_path):
    root = tmp_path / 'bedlam1'
    for name in ('seq_000000/seq_000000_0000', 'seq_000001/seq_000001_0005'):
        write(root / f'png/{name}.png', np.full((H, W, 3), 90, np.uint8))
        write(root / f'depth/{name}_depth.exr', DEPTH, 'Depth')
        write(root / f'masks/{name}_env.png', 255 - BODY)
        write(root / f'masks/{name}_00_body.png', BODY)
        write(root / f'masks/{name}_00_hair.png', HAIR)
        write(root / f'masks/{name}_01_clothing.png', np.fliplr(BODY))
    return root


@pytest.fixture
def second(tmp_path):
    root = tmp_path / 'bedlam2/exr_layers'
    normals = np.zeros((H, W, 3), np.uint8)
    normals[...] = 128, 128, 255  # red, green, blue: X, Y, Z to the camera
    for name in ('seq_000000/seq_000000_0000',):
        write(root / f'image/{name}_image.png', np.full((H, W, 3), 90, np.uint8))
        write(root / f'depth/{name}_depth.exr', DEPTH.astype(np.float16), 'Depth')
        write(root / f'cameranormal/{name}_cameranormal.png', normals[..., ::-1])
        write(root / f'masks/{name}_00_body.png', BODY)
    return root.parent


def test_first_version(first):
    found = BedlamDataset(data_root=str(first), targets=['depth'])
    names = [found.get_data_info(i)['sample_id'] for i in range(len(found))]
    assert names == ['seq_000000/seq_000000_0000', 'seq_000001/seq_000001_0005']
    sample = LoadMaps()(found.get_data_info(0))
    people = (BODY | HAIR | np.fliplr(BODY)) > 0  # all parts of both, not the surroundings
    np.testing.assert_array_equal(sample['mask'], people)
    np.testing.assert_allclose(sample['gt_depth_map'][people], DEPTH[people] / 100, rtol=1e-6)


def test_second_version(second):
    found = BedlamDataset(data_root=str(second), targets=['depth', 'normal'], version=2)
    sample = LoadMaps()(found.get_data_info(0))
    inside = BODY > 0
    np.testing.assert_allclose(sample['gt_depth_map'][inside], DEPTH[inside] / 100, rtol=1e-3)
    np.testing.assert_allclose(
        sample['gt_normal_map'][inside], [[0, 0, 1]] * inside.sum(), atol=0.01
    )


def test_masks_of_another_size_are_named(first):
    row = BedlamDataset(data_root=str(first), targets=['depth']).get_data_info(0)
    write(first / 'masks/seq_000000/seq_000000_0000_00_hair.png', HAIR.T.copy())  # a turned scene
    with pytest.raises(ValueError, match=r'_00_hair\.png is 24 x 32 pixels, its image 32 x 24'):
        LoadMaps()(row)


def test_errors(first):
    with pytest.raises(ValueError, match=r"BEDLAM 1 has no \['normal'\]"):
        BedlamDataset(data_root=str(first), targets=['normal'])
    with pytest.raises(ValueError, match='version 3 of BEDLAM is neither 1 nor 2'):
        BedlamDataset(data_root=str(first), targets=['depth'], version=3)
    with pytest.raises(ValueError, match='no folder of image files: expected .*rendered'):
        BedlamDataset(data_root=str(first), targets=['depth'], folders={'image': 'rendered'})
    write(first / 'png/seq_000000/seq_000000_0000.jpg', np.zeros((H, W, 3), np.uint8))
    with pytest.raises(ValueError, match=r'seq_000000_0000\.png are the same frame'):
        BedlamDataset(data_root=str(first), targets=['depth'])


@pytest.mark.slow
def test_the_recipe_of_the_docs_trains_some_steps(root, tmp_path, first):
    text = (root / 'docs/public_data.md').read_text().partition('## BEDLAM')[2]
    text = text.partition('```python\n')[2].partition('```')[0]
    up = os.path.relpath(root, tmp_path)  # options reach bases that are named relatively
    for old, new in (('/path/to', up), ('/data/bedlam/SCENE', first)):
        assert old in text
        text = text.replace(old, str(new))
    text += 'val_dataloader = val_evaluator = val_cfg = None\n'
    text += 'default_hooks = dict(checkpoint=dict(save_best=None, rule=None))\n'
    (tmp_path / 'recipe.py').write_text(text)
    options = {'size': (64, 48), 'epochs': 3, 'param_scheduler': []}
    runner = train(tmp_path / 'recipe.py', tmp_path / 'work', (64, 48), options)
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert len(losses) == 3 and np.isfinite(losses).all()
    assert not heads_without_gradient(runner)
