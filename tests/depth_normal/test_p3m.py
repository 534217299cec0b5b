# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""P3M-10k's layout: alpha from `mask`, another image folder per part, trimaps where there are some."""

import cv2
import numpy as np
import pytest
from old_torch import needs_fsdp2
from short_training import heads_without_gradient, train

from sapiens_depth_normal.datasets import P3MDataset
from sapiens_depth_normal.transforms import LoadMaps, PackMaps, RandomWarp, ResizeImage

H, W = 24, 18
ALPHA = np.zeros((H, W), np.uint8)
ALPHA[6:20, 3:15] = 128
ALPHA[8:18, 5:13] = 255
TRIMAP = np.where((ALPHA > 0) & (ALPHA < 255), 128, ALPHA).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    for place, images, trimap in (
        ('train', 'blurred_image', False),
        ('validation/P3M-500-P', 'blurred_image', True),
        ('validation/P3M-500-NP', 'original_image', True),
    ):
        names = [images, 'mask', *(['trimap'] if trimap else [])]
        for name in names:
            (tmp_path / place / name).mkdir(parents=True)
        for stem in ('p_1', 'p_0'):
            image = np.full((H, W, 3), 90, np.uint8)
            cv2.imwrite(str(tmp_path / place / images / f'{stem}.jpg'), image)
            cv2.imwrite(str(tmp_path / place / 'mask' / f'{stem}.png'), ALPHA)
            if trimap:
                cv2.imwrite(str(tmp_path / place / 'trimap' / f'{stem}.png'), TRIMAP)
    (tmp_path / 'validation/P3M-500-P/facemask').mkdir()
    return tmp_path


def test_parts(folder):
    for part in ('train', 'P3M-500-P', 'P3M-500-NP'):
        found = P3MDataset(data_root=str(folder), part=part)
        rows = [found.get_data_info(i) for i in range(len(found))]
        assert [(row['sample_id'], row['framing']) for row in rows] == [
            ('p_0', part),
            ('p_1', part),
        ]
        sample = LoadMaps()(rows[0])
        np.testing.assert_array_equal(sample['gt_alpha_map'], np.float32(ALPHA) / 255)
        np.testing.assert_array_equal(sample['mask'], ALPHA == 255)
        assert ('trimap' in sample) == (part != 'train')
        packed = PackMaps()(ResizeImage((16, 12))(sample))['data_samples']
        assert packed.gt_alpha_map.data.shape == (1, H, W)
        if part != 'train':
            np.testing.assert_array_equal(packed.gt_trimap.data[0], TRIMAP)


def test_warped_alpha_stays_soft(folder):
    row = P3MDataset(data_root=str(folder), part='P3M-500-P').get_data_info(0)
    np.random.seed(0)
    sample = RandomWarp((48, 36), rotate_prob=1.0)(LoadMaps()(row))
    assert set(np.unique(sample['trimap'])) <= {0, 128, 255}
    assert len(np.unique(sample['gt_alpha_map'])) > 10


def test_damage_is_reported_by_file(folder):
    row = P3MDataset(data_root=str(folder), part='P3M-500-NP').get_data_info(0)
    cv2.imwrite(row['trimap_path'], TRIMAP // 2)
    with pytest.raises(ValueError, match=r'trimap .*p_0\.png: expected 0, 128 .* got \[64\]'):
        LoadMaps()(row)
    cv2.imwrite(row['trimap_path'], TRIMAP[:5])
    with pytest.raises(ValueError, match=r'trimap/p_0\.png is 18 x 5 pixels, its image 18 x 24'):
        LoadMaps()(row)
    coloured = cv2.merge([ALPHA, ALPHA, 255 - ALPHA])
    cv2.imwrite(row['alpha_path'], coloured)
    with pytest.raises(ValueError, match=r'alpha .*p_0\.png: expected a grey picture, got 3'):
        LoadMaps()(row)
    cv2.imwrite(row['alpha_path'], cv2.merge([ALPHA] * 3))
    cv2.imwrite(row['trimap_path'], TRIMAP)
    np.testing.assert_array_equal(LoadMaps()(row)['gt_alpha_map'], np.float32(ALPHA) / 255)


def test_errors(folder):
    with pytest.raises(ValueError, match=r"part 'val' is not one of \['train', 'P3M-500-P'"):
        P3MDataset(data_root=str(folder), part='val')
    (folder / 'train/mask').rename(folder / 'train/alpha')
    with pytest.raises(ValueError, match='no folder of alpha files: expected .*train/mask'):
        P3MDataset(data_root=str(folder), part='train')


@pytest.mark.slow
@needs_fsdp2
def test_the_recipe_trains_some_steps_and_is_judged_on_both_parts(root, folder, tmp_path, alone):
    options = {
        'data_root': str(folder),
        'size': (64, 48),
        'iterations': 4,
        'param_scheduler': [],
        'train_cfg.val_interval': 4,
        'default_hooks.checkpoint.interval': 4,
        'default_hooks.logger.interval': 1,
    }
    recipe = root / 'configs/matting/sapiens2_1b_p3m.py'
    runner = train(recipe, tmp_path / 'work', (64, 48), options)
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert len(losses) == 4 and np.isfinite(losses).all()
    assert not heads_without_gradient(runner)
    blurred = runner.message_hub.get_scalar('val/matting/P3M-500-P/whole_sad').current()
    as_they_are = runner.test()['matting/P3M-500-NP/unknown_sad']
    assert np.isfinite(blurred) and np.isfinite(as_they_are)
