# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Lists of photos with alphas and of cut-outs go through the matting recipe's steps."""

import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from sapiens_depth_normal.datasets import MattingListDataset

H, W = 24, 18


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (H, W, 3), np.uint8)
    alpha = np.zeros((H, W), np.uint8)
    alpha[6:20, 3:15] = 128
    alpha[8:18, 5:13] = 255
    (tmp_path / 'backgrounds').mkdir()
    cv2.imwrite(str(tmp_path / 'backgrounds/wall.png'), np.full((H, W, 3), 200, np.uint8))
    cv2.imwrite(str(tmp_path / 'photo.png'), photo)
    cv2.imwrite(str(tmp_path / 'grey.png'), alpha)
    cv2.imwrite(str(tmp_path / 'cutout.png'), np.dstack([photo, alpha]))
    pairs = [{'image': 'photo.png', 'mask': name} for name in ('grey.png', 'cutout.png')]
    (tmp_path / 'pairs.json').write_text(json.dumps(pairs))
    (tmp_path / 'cutouts.txt').write_text('cutout.png\n')
    return tmp_path


def samples(folder, name, steps):
    found = MattingListDataset(ann_file=name, data_root=str(folder), pipeline=steps)
    return [found[i] for i in range(len(found))]


@pytest.fixture
def parts(root):
    recipe = Config.fromfile(root / 'configs/matting/sapiens2_1b_p3m.py')
    _, compress, crop, warp, distort, matte, pack = recipe.train_dataloader.dataset.pipeline
    return [compress, crop, dict(warp, size=(32, 24)), distort, matte, pack]


def test_photos_with_alphas(folder, parts):
    load = dict(type='sapiens_depth_normal.LoadMaps')
    alpha = cv2.imread(str(folder / 'grey.png'), cv2.IMREAD_GRAYSCALE)
    for sample in samples(folder, 'pairs.json', [load]):  # grey, and the fourth channel
        np.testing.assert_allclose(sample['gt_alpha_map'], alpha / 255, atol=1e-6)
        assert sample['sample_id'] == 'photo'
    packed = samples(folder, 'pairs.json', [load, *parts])[0]
    assert packed['inputs'].shape == (3, 32, 24)
    assert packed['data_samples'].gt_matting_map.data.shape == (4, 32, 24)


def test_cutouts_before_a_picture(folder, parts):
    load = [
        dict(type='sapiens_depth_normal.LoadCutout'),
        dict(type='sapiens_depth_normal.CompositeCutout', folder=str(folder / 'backgrounds')),
    ]
    (sample,) = samples(folder, 'cutouts.txt', load)
    photo = cv2.imread(str(folder / 'photo.png')).astype(float)
    np.testing.assert_array_equal(sample['img'][10, 8], photo[10, 8])  # opaque
    np.testing.assert_array_equal(sample['img'][0, 0], [200] * 3)
    mixed = (photo[7, 4] * 128 + 200 * 127) / 255
    np.testing.assert_allclose(sample['img'][7, 4], mixed, atol=0.51)
    (packed,) = samples(folder, 'cutouts.txt', [*load, *parts])
    assert packed['data_samples'].gt_matting_map.data.shape == (4, 32, 24)


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('a.json', '[]', r'a\.json lists nothing'),
        ('a.json', '[["photo.png", "grey.png"]]', 'expected entries .*, got .*photo.png'),
        ('a.json', '[{"image": "photo.png"}]', 'expected entries .*, got .*photo.png'),
        ('a.txt', 'none.png', r"lists 'none\.png', but .*none\.png does not exist"),
    ],
)
def test_errors(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        samples(folder, name, [])
