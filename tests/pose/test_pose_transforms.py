# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import warnings

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine

from sapiens_pose.transforms import PackKeypoints, RejectFewKeypoints, SeededAlbumentation

CODEC = {
    'type': 'sapiens_pose.BatchedUDPHeatmap',
    'input_size': (48, 64),
    'heatmap_size': (12, 16),
    'sigma': 2,
}


@pytest.fixture
def albumentation(root):
    """The pixel augmentation of the shipped recipe."""
    config = Config.fromfile(root / 'configs/pose/sapiens_1b_goliath.py')
    step = next(s for s in config.train_pipeline if s.type.endswith('SeededAlbumentation'))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return SeededAlbumentation(step.transforms)


def test_one_hole_of_a_fifth_to_two_fifths(albumentation):
    np.random.seed(0)
    shares = []
    for _ in range(60):
        white = np.full((200, 100, 3), 255, np.uint8)
        # blurs soften an edge by a few pixels; a hole stays below half brightness
        black = albumentation({'img': white})['img'][..., 0] < 128
        rows, columns = black.any(1), black.any(0)
        assert black[np.ix_(rows, columns)].mean() > 0.95  # one rectangle
        shares.append((rows.sum() / 200, columns.sum() / 100))
    shares = np.array(shares)
    assert shares.min() >= 0.19 and shares.max() <= 0.41
    assert (np.ptp(shares, axis=0) > 0.12).all()
    assert np.abs(np.corrcoef(shares.T)[0, 1]) < 0.6


def test_blurs_fire_seldom_and_independently(albumentation):
    np.random.seed(0)
    blurs = albumentation.aug.transforms[:2]
    fired = {blur: [] for blur in blurs}
    for blur in blurs:
        decide = blur.should_apply

        def record(*args, _decide=decide, _log=fired[blur], **kwargs):
            _log.append(_decide(*args, **kwargs))
            return _log[-1]

        blur.should_apply = record
    image = np.zeros((16, 16, 3), np.uint8)
    for _ in range(500):
        albumentation({'img': image})
    log = np.array(list(fired.values()))
    assert log.shape == (2, 500)
    assert (0.06 < log.mean(axis=1)).all() and (log.mean(axis=1) < 0.14).all()
    assert log.all(axis=0).mean() < 0.04  # 0.01 expected; equal seeds would give 0.1


def test_augmentation_follows_the_global_seed(albumentation):
    image = np.random.default_rng(0).integers(0, 255, (60, 40, 3), np.uint8)
    np.random.seed(3)
    first = [albumentation({'img': image.copy()})['img'] for _ in range(4)]
    np.random.seed(3)
    again = [albumentation({'img': image.copy()})['img'] for _ in range(4)]
    np.testing.assert_array_equal(first, again)
    assert (first[0] != first[1]).any()


def test_steps_and_strengths_of_the_training_pipeline(root):
    init_default_scope('mmpose')
    config = Config.fromfile(root / 'configs/pose/sapiens_1b_goliath.py')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        steps = Compose(config.train_pipeline).transforms
    names = [type(step).__name__ for step in steps]
    # The published order; the last published step makes the targets, which the head does here.
    assert names == [
        'LoadPersonImage', 'GetBBoxCenterScale', 'RandomFlip', 'RandomHalfBody', 'RandomBBoxTransform',
        'DecodeTopdownAffine', 'RejectFewKeypoints', 'ColourDistortion', 'SeededAlbumentation', 'PackKeypoints',
    ]  # fmt: skip
    _, box, flip, half, transform, affine, _, photo, _, _ = steps
    assert box.padding == 1.25 and (flip.prob, flip.direction) == (0.5, 'horizontal')
    assert (half.min_total_keypoints, half.min_upper_keypoints, half.min_lower_keypoints) == (
        9,
        2,
        3,
    )
    assert (half.padding, half.prob, half.upper_prioritized_prob) == (1.5, 0.3, 0.7)
    assert (transform.shift_factor, transform.shift_prob) == (0.16, 0.3)
    assert (tuple(transform.scale_factor), transform.scale_prob) == ((0.5, 1.5), 1.0)
    assert (transform.rotate_factor, transform.rotate_prob) == (80.0, 0.6)
    assert tuple(affine.input_size) == (768, 1024) and affine.use_udp
    assert (photo.brightness_delta, photo.hue_delta) == (32, 18)
    assert photo.contrast_range == photo.saturation_range == (0.5, 1.5) and photo.channel_swap


@pytest.mark.parametrize('num_keypoints, needed', [(2, 1), (5, 2), (17, 4), (133, 8), (308, 8)])
def test_crops_with_too_few_points_are_replaced(num_keypoints, needed):
    reject = RejectFewKeypoints(CODEC)
    keypoints = np.full((1, num_keypoints, 2), 500.0, np.float32)  # outside the crop
    sample = {
        'transformed_keypoints': keypoints,
        'keypoints_visible': np.ones((1, num_keypoints), np.float32),
    }
    keypoints[0, : needed - 1] = 20
    assert reject(sample) is None
    keypoints[0, needed - 1] = 20
    assert reject(sample) is sample
    sample['keypoints_visible'][0, 0] = 0
    assert reject(sample) is None
    assert RejectFewKeypoints(CODEC, min_visible=0)(sample) is sample


def test_crops_of_hands_alone_are_replaced():
    """Sapiens2: many points are not enough, 6 of the first 21 are needed."""
    reject = RejectFewKeypoints(CODEC, min_body=6)
    visible = np.ones((1, 308), np.float32)
    sample = {'transformed_keypoints': np.full((1, 308, 2), 20, np.float32)}
    visible[0, 6:22] = 0
    assert reject({**sample, 'keypoints_visible': visible}) is not None
    visible[0, 5] = 0
    assert reject({**sample, 'keypoints_visible': visible}) is None
    own = {key: value[:, :10] for key, value in sample.items()}  # five points of another layout
    assert reject({**own, 'keypoints_visible': visible[:, :10]}) is not None


def test_packing_keeps_keypoints_and_leaves_annotations():
    sample = {
        'img': np.zeros((64, 48, 3), np.uint8),
        'keypoints': np.zeros((1, 3, 2)),
        'transformed_keypoints': np.arange(6.0).reshape(1, 3, 2),
        # as mmpose's KeypointConverter leaves it: visibility, loss weight
        'keypoints_visible': np.array([[[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]]),
        'raw_ann_info': {'large': [0.0] * 1000},
        'id': 5,
    }
    packed = PackKeypoints()(sample)['data_samples']
    labels = packed.gt_instance_labels
    torch.testing.assert_close(labels.keypoints, torch.arange(6.0).view(1, 3, 2))
    torch.testing.assert_close(labels.keypoint_weights, torch.tensor([[1.0, 0.0, 0.0]]))
    assert packed.metainfo == {'id': 5}


def test_golden_affine(golden):
    reference = golden('topdown_affine')
    meta = reference['meta']
    boxes = Compose([GetBBoxCenterScale(meta['padding'])])
    affine = TopdownAffine(tuple(meta['input_size']), use_udp=meta['use_udp'])
    for index, box in enumerate(reference['bboxes']):
        sample = {'img': reference['image'], 'bbox': box[None]}
        # the box's corners and a point of the image
        sample['keypoints'] = np.array([[box[:2], box[2:], (100, 100)]], np.float32)
        sample = affine(boxes(sample))
        np.testing.assert_allclose(sample['input_center'], reference['centers'][index], rtol=1e-5)
        np.testing.assert_allclose(sample['input_scale'], reference['scales'][index], rtol=1e-5)
        points = sample['transformed_keypoints'][0]
        np.testing.assert_allclose(points, reference['keypoints'][index], atol=1e-3)
        difference = np.abs(sample['img'].astype(int) - reference['crops'][index].astype(int))
        # OpenCV 5 interpolates with finer weights than the version that made the file
        assert difference.max() <= 2 and difference.mean() < 0.02
