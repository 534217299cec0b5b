# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Maps and keypoints of one sample stay together through every transform."""

import numpy as np
import pytest
from mmpose.codecs import UDPHeatmap
from PIL import Image

from sapiens_depth_normal.transforms import LoadMaps, RandomWarp, ResizeImage
from sapiens_depth_normal.transforms.warp import Warp
from sapiens_multitask.transforms import (
    CropPerson,
    PackMultitask,
    RandomPersonWarp,
    WeighKeypoints,
)

SIZE = (64, 48)


def test_keypoints_follow_the_image(sample_of):
    # A bright dot stays under its keypoint; the pair partner's row holds it after mirroring.
    dot = (20, 31)  # x, y
    for warp in (
        Warp(0, 0, 50, 80),
        Warp(8, 16, 24, 32, angle=25),
        Warp(8, 16, 24, 32, angle=-10, flip=True),
    ):
        sample = sample_of()
        sample['img'][:] = 0
        sample['img'][dot[1], dot[0]] = 255
        sample['keypoints'][0, 7] = dot
        result = RandomWarp(SIZE).apply(sample, warp)
        order = sample_of()['flip_indices']
        index = int(np.flatnonzero(order == 7)[0]) if warp.flip else 7
        light = result['img'][..., 0].astype(float)
        rows, columns = np.indices(SIZE)
        middle = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
        np.testing.assert_allclose(result['keypoints'][0, index], middle, atol=0.3)
        x, y = result['keypoints'][0].T
        inside = (x > -0.5) & (x < 47.5) & (y > -0.5) & (y < 63.5)
        np.testing.assert_array_equal(result['keypoints_visible'][0] > 0, inside)


def predicted(point, whole, sample):
    """Where a model that is right places a point of an image of size ``whole`` (w, h), by mmpose's arithmetic."""
    codec = UDPHeatmap(SIZE[::-1], (24, 32), sigma=2)
    seen = (np.array(point) + 0.5) * np.array(
        SIZE[::-1]
    ) / whole - 0.5  # where the resized image shows it
    decoded, _ = codec.decode(codec.encode(seen[None, None].astype(np.float32))['heatmaps'])
    return (
        decoded[0, 0] / sample.input_size * sample.input_scale
        + sample.input_center
        - 0.5 * sample.input_scale
    )


def test_predicted_points_return_to_the_image(sample_of):
    sample = PackMultitask()(ResizeImage(SIZE)(sample_of()))['data_samples']
    for point in ([14.0, 20.0], [20.0, 31.0], [36.0, 60.0]):
        np.testing.assert_allclose(predicted(point, (50, 80), sample), point, atol=0.02)


def test_siblings(tmp_path):
    for folder, values in (
        ('images', (80, 50, 3)),
        ('masks', (80, 50)),
        ('segmentations', (80, 50)),
    ):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.ones(values, np.uint8)).save(tmp_path / folder / '0.png')
    path = str(tmp_path / 'images/0.png')
    result = LoadMaps(siblings=['mask', 'segmentation'])({'img_path': path})
    assert result['mask'].all() and (result['gt_seg_map'] == 1).all()
    with pytest.raises(
        ValueError, match=r'0\.png has no depth file: expected .*depth/0 or depths/0'
    ):
        LoadMaps(siblings=['depth'])({'img_path': path})
    # Dots in a name and capital extensions are as good as any, here as in the folder reader.
    (tmp_path / 'images/0.png').rename(tmp_path / 'images/walk.001.png')
    (tmp_path / 'masks/0.png').rename(tmp_path / 'masks/walk.001.PNG')
    dotted = str(tmp_path / 'images/walk.001.png')
    assert LoadMaps(siblings=['mask'])({'img_path': dotted})['mask'].all()
    (tmp_path / 'images/walk.001.png').rename(path)
    (tmp_path / 'segmentations/0.png').write_bytes(b'torn')
    with pytest.raises(ValueError, match=r'segmentations/0\.png cannot be decoded'):
        LoadMaps(siblings=['segmentation'])({'img_path': path})
    Image.fromarray(np.full((80, 50), 77, np.uint8)).save(tmp_path / 'segmentations/0.png')
    with pytest.raises(ValueError, match=r'segmentations/0\.png: values \[77\] are neither'):
        LoadMaps(siblings=['segmentation'])({'img_path': path})


def test_window_of_a_person(sample_of, tmp_path):
    sample = sample_of()
    sample['bbox'] = np.array([[10, 10, 30, 50]], np.float32)
    sample['img'][...] = 0
    sample['img'][28:33, 18:23] = 255
    sample['keypoints'][0, 0] = 20, 30
    still = dict(scale=(1.0, 1.0), shift=0, stretch=0, half_prob=0, rotate_prob=0, flip_prob=0)
    result = RandomPersonWarp(SIZE, map_stride=2, **still)(sample)
    # 50 rows around the middle (20, 30) fill 64: the box's middle is the input's.
    np.testing.assert_allclose(result['keypoints'][0, 0], [23.5, 31.5], atol=0.5)
    assert result['img'].shape == (*SIZE, 3) and result['img'][31, 23, 0] == 255
    for name in ('mask', 'gt_depth_map', 'gt_normal_map', 'gt_seg_map'):
        assert result[name].shape[:2] == (32, 24)
    mirrored = RandomPersonWarp(SIZE, map_stride=2, **{**still, 'flip_prob': 1.0})(
        {**sample_of(), 'bbox': sample['bbox']}
    )
    plain = RandomPersonWarp(SIZE, map_stride=2, **still)({**sample_of(), 'bbox': sample['bbox']})
    np.testing.assert_allclose(
        mirrored['gt_normal_map'], plain['gt_normal_map'][:, ::-1] * [-1, 1, 1], atol=1e-5
    )
    with pytest.raises(ValueError, match=r'not a multiple of map_stride 3'):
        RandomPersonWarp(SIZE, map_stride=3)


def test_random_windows_hold_the_person_mostly():
    np.random.seed(0)
    warp = RandomPersonWarp(SIZE)
    box = np.array([100, 200, 140, 290], float)
    shares = []
    for _ in range(200):
        w = warp.draw_person(box)
        assert w.width > 0 and abs(w.height / w.width * 48 / 64 - 1) < 0.25
        middle = np.array([w.left + w.width / 2, w.top + w.height / 2])
        low, high = box[:2], box[2:]
        assert (middle > low - 0.1 * (high - low)).all() and (
            middle < high + 0.1 * (high - low)
        ).all()
        shares.append(w.height / 90)
    assert 0.4 < min(shares) < 1 < max(shares) < 2.2


def test_cropped_person_and_its_points_return_to_the_image(sample_of):
    sample = {**sample_of(), 'bbox': np.array([[30, 40, 42, 60]], np.float32)}
    whole = sample['gt_depth_map'].copy()
    crop = CropPerson(SIZE)(sample)
    x, y = crop['crop_corner']
    height, width = crop['ori_shape']
    np.testing.assert_array_equal(crop['gt_depth_map'], whole[y : y + height, x : x + width])
    packed = PackMultitask()(ResizeImage(SIZE)(crop))['data_samples']
    back = predicted(np.array([35.0, 50.0]) - (x, y), (width, height), packed)
    np.testing.assert_allclose(back, [35, 50], atol=0.02)


def test_a_crop_that_leaves_the_image_is_filled_as_in_training(sample_of):
    sample = {**sample_of(), 'bbox': np.array([[0, 40, 12, 70]], np.float32)}
    labels = sample['gt_seg_map'].copy()
    crop = CropPerson(SIZE)(sample)
    height, width = crop['ori_shape']
    assert crop['crop_corner'][0] < 0 and abs(width - height * 48 / 64) < 2  # whole pixels
    outside = -crop['crop_corner'][0]
    assert (crop['img'][:, :outside] == 0).all() and (crop['mask'][:, :outside] == 0).all()
    assert (crop['gt_seg_map'][:, :outside] == 255).all()
    top = crop['crop_corner'][1]
    np.testing.assert_array_equal(
        crop['gt_seg_map'][:, outside:], labels[top : top + height, : width - outside]
    )


def test_keypoints_weigh_by_group():
    weights = WeighKeypoints(body=3.0, face=0.5)({'keypoints_visible': np.ones((1, 308))})
    weights = weights['keypoints_visible'][0]
    assert [weights[i] for i in (0, 14, 41, 62)] == [3, 3, 3, 3]  # wrists are 41 and 62
    assert weights[15] == weights[30] == weights[69] == 1 and (weights[70:] == 0.5).all()
    with pytest.raises(ValueError, match='at least 0.5 for body, foot, face'):
        WeighKeypoints(body=0.1)
