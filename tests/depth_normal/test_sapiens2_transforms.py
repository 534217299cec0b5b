# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2's geometry, inputs and results equal the reference's, and hold together by themselves."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import MODELS
from mmseg.structures import SegDataSample

from sapiens_common.transforms import Degrade, Stretch
from sapiens_depth_normal.datasets import DenseFolderDataset
from sapiens_depth_normal.datasets.files import read_albedo
from sapiens_depth_normal.models import PixelShuffleHead, PointmapHead
from sapiens_depth_normal.models.points import Pointmaps
from sapiens_depth_normal.transforms import (
    CropMaps,
    CropToAlpha,
    FitImage,
    LoadCutout,
    LoadMaps,
    MattingTarget,
    MirrorMaps,
    PackMaps,
    RandomWarp,
    RejectMaps,
    ScaleMaps,
)

L1 = dict(type='sapiens_depth_normal.PixelL1Loss')
NAMES = {'gt_normal': 'gt_normal_map', 'gt_albedo': 'gt_albedo_map', 'gt_depth': 'gt_depth_map'}
NAMES |= {'K': 'intrinsics', 'M': 'extrinsics'}


@pytest.mark.parametrize('task', ['normal', 'albedo', 'pointmap'])
def test_golden_training_geometry(golden, task):
    data = golden('sapiens2/transforms')
    case = next(case for case in data['meta']['cases'] if case['name'] == task)
    results = {NAMES.get(name, name): data[name] for name in case['fields']}
    steps = {step['type'].replace(task.capitalize(), ''): step for step in case['pipeline']}
    size = steps['Resize']['height'], steps['Resize']['width']
    results = MirrorMaps(prob=1).transform(results)
    results = FitImage(size, targets=True, rounding='nearest').transform(results)
    for name in case['get']:
        if name in ('original_K', 'scale', 'gt_pointmap'):
            continue
        expected = data[f'{task}/{name}']
        found = results[NAMES.get(name, name)]
        if task == 'normal' and name == 'gt_normal':
            # Ours are made unit vectors when they are read; the reference marks the background by -1000.
            valid = data['normal/mask'] > 0
            found, expected = found[valid], expected[valid]
            found = found / np.linalg.norm(found, axis=1, keepdims=True)
        if name == 'K':  # canonical there
            expected = data['pointmap/original_K']
        elif name == 'gt_depth':
            expected = expected / data['pointmap/scale']
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=name)
    if task == 'pointmap':
        maps = pointmaps_of(results, steps['GenerateTarget']['canonical_focal_length'])
        points = maps.target[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(maps.scale, data['pointmap/scale'], rtol=1e-6)
        np.testing.assert_allclose(points, data['pointmap/gt_pointmap'], rtol=1e-6, atol=1e-5)


def pointmaps_of(results, focal):
    """The target of one sample; only its shape depends on the prediction."""
    depth = torch.from_numpy(np.float32(results['gt_depth_map']))[None, None]
    mask = torch.from_numpy(results['mask'] > 0)[None, None] & depth.isfinite()
    camera = torch.from_numpy(np.float32(results['intrinsics']))[None]
    return Pointmaps.from_depth(torch.zeros(1), torch.zeros(1, 1), depth, mask, camera, focal)


def test_golden_pointmap_target(golden):
    data = golden('sapiens2/transforms')
    case = next(case for case in data['meta']['cases'] if case['name'] == 'pointmap_packed')
    results = {NAMES.get(name, name): data[name] for name in case['fields']}
    size = case['pipeline'][0]['height'], case['pipeline'][0]['width']
    results = FitImage(size, targets=True, rounding='nearest').transform(results)
    maps = pointmaps_of(results, case['pipeline'][1]['canonical_focal_length'])
    np.testing.assert_array_equal(maps.mask[0], data['pointmap_packed/mask'])
    np.testing.assert_allclose(maps.scale, data['pointmap_packed/scale'], rtol=1e-6)
    mean = maps.target[0, 2][maps.mask[0, 0]].mean()
    np.testing.assert_allclose(mean, data['pointmap_packed/mean_depth'][0, 0, 0], rtol=1e-6)


def network_input(image):
    """What the preprocessor of every recipe makes of an image (H, W, 3)."""
    preprocessor = MODELS.build(
        dict(
            type='mmseg.SegDataPreProcessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
        )
    )
    inputs = torch.from_numpy(image.transpose(2, 0, 1).copy())
    return preprocessor({'inputs': [inputs]})['inputs'].numpy()


def head_of(task):
    settings = dict(upsample_out_channels=(4,), conv_out_channels=(), loss_decode=L1)
    if task == 'pointmap':
        return PointmapHead(4, (4, 4), (4,), (4,), **settings)
    return PixelShuffleHead(task, 4, **settings)


@pytest.mark.parametrize('task', ['normal', 'albedo', 'pointmap'])
def test_golden_inference(golden, task):
    data = golden(f'sapiens2/inference_{task}')
    step = data['meta']['pipeline'][0]
    head = head_of(task)
    for case in data['meta']['cases']:
        name = case['name']
        image = data[f'{name}/image']
        results = FitImage((step['height'], step['width'])).transform({'img': image})
        padding = results['padding_size']
        np.testing.assert_array_equal(padding, data[f'{name}/padding_left_right_top_bottom'])
        found = network_input(results['img'])
        np.testing.assert_allclose(found, data[f'{name}/model_input'], atol=1e-5)
        maps = torch.from_numpy(data[f'{name}/raw'])
        if task == 'pointmap':
            maps = maps, torch.from_numpy(data[f'{name}/raw_scale'])
        sample = SegDataSample(metainfo=dict(ori_shape=image.shape[:2], padding_size=padding))
        head.store(maps, [sample])
        found = sample.get(f'pred_{head.target}_map').data.permute(1, 2, 0).numpy()
        expected = data[f'{name}/{task}']
        if task == 'normal':  # ours are unit vectors
            expected = expected / np.linalg.norm(expected, axis=-1, keepdims=True)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def sample(seed=0):
    """A sample with every map, of 60 x 40 pixels."""
    random = np.random.default_rng(seed)
    mask = np.zeros((60, 40), np.uint8)
    mask[15:45, 10:30] = 1
    depth = np.where(mask, 2 + random.random((60, 40)), 0).astype(np.float32)
    return dict(
        img=random.integers(0, 255, (60, 40, 3), np.uint8),
        mask=mask,
        gt_depth_map=depth,
        gt_normal_map=np.dstack([depth, depth, depth]),
        gt_albedo_map=np.dstack([depth, depth, depth]) / 3,
        gt_alpha_map=mask.astype(np.float32),
        intrinsics=np.array([[50.0, 0, 20], [0, 55, 28], [0, 0, 1]]),
    )


def points_of(results):
    """Points of the masked pixels in metres, in the axes of the camera."""
    return pointmaps_of(results, results['intrinsics'][0, 0]).target[0]


@pytest.mark.parametrize(
    'transform',
    [
        CropMaps(prob=1),
        ScaleMaps(factors=(2, 2), prob=1),
        FitImage((90, 90), targets=True),
        CropToAlpha(prob=1),
    ],
    ids=lambda transform: type(transform).__name__,
)
def test_points_stay_where_they_are(transform):
    np.random.seed(3)
    before, after = sample(), transform.transform(sample())
    old = points_of(before)[:, before['mask'] > 0]
    new = points_of(after)[:, after['mask'] > 0]
    assert after['img'].shape[:2] == after['mask'].shape == after['gt_albedo_map'].shape[:2]
    # Nearest pixels and a principal point without the half pixel: off by a pixel each way at most.
    distance = (new[:, :, None] - old[:, None]).norm(dim=0).min(dim=1).values
    assert distance.max() < 3 * 2**0.5 / 50
    both = CropToAlpha, FitImage
    if isinstance(transform, both):  # nothing of the person is cut off
        np.testing.assert_allclose(new.mean(1), old.mean(1), atol=3 * 0.75 / 50)


def test_mirrored_points_are_mirrored():
    results = MirrorMaps(prob=1).transform(sample())
    expected = points_of(sample()).flip(-1) * torch.tensor([-1, 1, 1])[:, None, None]
    torch.testing.assert_close(points_of(results), expected)
    np.testing.assert_array_equal(
        results['gt_normal_map'], sample()['gt_normal_map'][:, ::-1] * [-1, 1, 1]
    )
    assert MirrorMaps(prob=0).transform(sample())['intrinsics'][0, 2] == 20


def test_evaluation_keeps_the_truth():
    results = FitImage((64, 48)).transform(sample())
    np.testing.assert_array_equal(results['gt_depth_map'], sample()['gt_depth_map'])
    np.testing.assert_array_equal(results['intrinsics'], sample()['intrinsics'])
    factor = 64 / 60
    expected = [[50 * factor, 0, 20 * factor + 3], [0, 55 * factor, 28 * factor], [0, 0, 1]]
    np.testing.assert_allclose(results['input_intrinsics'], expected)
    packed = PackMaps().transform(results | {'ori_shape': (60, 40), 'img_path': 'a.png'})
    assert packed['data_samples'].padding_size == (3, 3, 0, 0)
    assert packed['data_samples'].gt_albedo_map.data.shape == (3, 60, 40)


def test_a_warp_takes_the_camera_away():
    results = RandomWarp((64, 48)).transform(sample())
    assert 'intrinsics' not in results


def test_samples_without_use_are_dropped():
    assert RejectMaps().transform(sample()) is not None
    for change, settings in (
        (dict(mask=np.ones((60, 40), np.uint8)), {}),
        (dict(mask=np.eye(60, 15, dtype=np.uint8)), {}),
        (dict(gt_depth_map=sample()['gt_depth_map'] / 1000), dict(min_depth=0.04)),
        (dict(gt_albedo_map=np.full((60, 40, 3), 0.5)), dict(min_spread=0.02)),
    ):
        assert RejectMaps(**settings).transform(sample() | change) is None
        if settings:
            assert RejectMaps(**settings).transform(sample()) is not None


def test_matting_target():
    results = sample()
    results['gt_alpha_map'][20, 20] = 0.25
    results = MattingTarget().transform(results)
    matte = results['gt_matting_map']
    red = results['img'][20, 20, 2] / 255
    np.testing.assert_allclose(matte[20, 20], [red / 4, *matte[20, 20, 1:3], 0.25], atol=1e-6)
    assert (matte[:10] == 0).all() and (matte[30, 20, 3] == 1).all()
    small = MattingTarget().transform({'img': results['img'], 'gt_alpha_map': np.ones((30, 20))})
    assert small['gt_matting_map'].shape == (30, 20, 4) and small['mask'].all()
    first = results['img'][:2, :2, ::-1].mean(axis=(0, 1)) / 255
    np.testing.assert_allclose(small['gt_matting_map'][0, 0], [*first, 1], atol=0.003)
    assert MattingTarget().transform({'img': results['img']}).keys() == {'img'}  # to predict


def test_cutouts(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (6, 5, 4), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), picture)
    results = LoadCutout().transform({'img_path': str(tmp_path / 'a.png')})
    np.testing.assert_array_equal(results['img'], picture[..., :3])
    np.testing.assert_allclose(results['gt_alpha_map'], picture[..., 3] / 255, atol=1e-6)
    cv2.imwrite(str(tmp_path / 'b.png'), picture[..., :3])
    with pytest.raises(ValueError, match=r'b\.png: expected 8 bits of red, green, blue and alpha'):
        LoadCutout().transform({'img_path': str(tmp_path / 'b.png')})


@pytest.mark.parametrize('how', ['jpeg', 'resolution', 'blur', 'noise', 'solarize'])
def test_degraded_pictures(how):
    image = cv2.resize(sample()['img'], (160, 240), interpolation=cv2.INTER_CUBIC)
    before = image.copy()
    np.random.seed(0)
    found = Degrade(**{how: 1}).transform({'img': image})['img']
    np.testing.assert_array_equal(image, before)
    assert found.shape == image.shape and found.dtype == np.uint8
    assert (found != image).any()
    if how == 'solarize':
        assert found.max() <= 128
    with pytest.raises(ValueError, match=r'chances must be in \[0, 1\], got'):
        Degrade(**{how: 2})


def test_stretched_labels():
    labels = np.arange(4, dtype=np.uint8).reshape(2, 2)
    image = np.zeros((2, 2, 3), np.uint8)
    results = Stretch((4, 6), targets=True).transform({'img': image, 'gt_seg_map': labels})
    np.testing.assert_array_equal(results['gt_seg_map'], labels.repeat(2, 0).repeat(3, 1))
    assert results['img'].shape == (4, 6, 3) and results['img_shape'] == (4, 6)


def test_unknown_rounding():
    with pytest.raises(ValueError, match="rounding 'up' is neither 'down' nor 'nearest'"):
        FitImage((64, 48), rounding='up')


def test_albedo_and_camera_files(tmp_path):
    for folder in ('images', 'masks', 'albedos', 'depths', 'records'):
        (tmp_path / folder).mkdir()
    colours = np.full((6, 5, 3), (10, 20, 30), np.uint8)  # BGR
    mask = np.full((6, 5), 255, np.uint8)
    mask[0] = 0
    cv2.imwrite(str(tmp_path / 'images/a.png'), colours)
    cv2.imwrite(str(tmp_path / 'masks/a.png'), mask)
    cv2.imwrite(str(tmp_path / 'albedos/a.png'), colours)
    np.save(tmp_path / 'depths/a.npy', np.full((6, 5), 2, np.float32))
    camera = {'fx': 7.5, 'fy': 7, 'cx': 2, 'cy': 2.5, 'world_to_camera': []}
    (tmp_path / 'records/a.json').write_text(json.dumps({'image': {'camera': camera}}))
    dataset = DenseFolderDataset(
        data_root=str(tmp_path),
        targets=['albedo', 'depth', 'camera'],
        pipeline=[LoadMaps(plausible=False), PackMaps()],
    )
    sample = dataset[0]['data_samples']
    np.testing.assert_array_equal(sample.intrinsics, [[7.5, 0, 2], [0, 7, 2.5], [0, 0, 1]])
    albedo = sample.gt_albedo_map.data.numpy()
    np.testing.assert_allclose(albedo[:, 1:] * 255, np.full((3, 5, 5), [[[30]], [[20]], [[10]]]))
    assert (albedo[:, 0] == 0).all()
    (tmp_path / 'records/a.json').write_text('{"image": {}}')
    with pytest.raises(ValueError, match=r'a\.json: expected image\.camera with fx, fy, cx, cy'):
        dataset.pipeline(dataset.get_data_info(0))
    cv2.imwrite(str(tmp_path / 'albedos/a.png'), mask)
    with pytest.raises(ValueError, match=r'a\.png: expected colours, got a grey picture'):
        read_albedo(tmp_path / 'albedos/a.png')
