# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.structures import InstanceData
from mmpose.codecs import UDPHeatmap as MMPoseUDPHeatmap
from mmpose.models.losses import KeypointMSELoss
from mmpose.registry import MODELS, TRANSFORMS
from mmpose.structures import PoseDataSample

CODEC = {
    'type': 'sapiens_pose.BatchedUDPHeatmap',
    'input_size': (48, 64),
    'heatmap_size': (12, 16),
    'sigma': 2,
}
MSE = {'type': 'mmpose.KeypointMSELoss', 'use_target_weight': True}


def build_head(**kwargs):
    init_default_scope('mmpose')
    settings = dict(in_channels=8, out_channels=5, loss=MSE, decoder=CODEC)
    settings.update(deconv_out_channels=(6, 6), conv_out_channels=(6, 6))
    head = MODELS.build({'type': 'sapiens_pose.PoseHead', **settings, **kwargs})
    head.init_weights()
    return head


def test_a_codec_is_built_in_any_scope_without_a_warning(monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmengine.logging.print_log', lambda message, *_, **__: said.append(message)
    )
    head = MODELS.get('sapiens_pose.PoseHead')
    with DefaultScope.overwrite_default_scope('mmseg'):
        built = head(8, 5, MSE, CODEC, deconv_out_channels=(6, 6), conv_out_channels=(6, 6))
    assert built.decoder.sigma == 2 and not [line for line in said if 'Failed' in line]


def make_sample(keypoints, weights):
    sample = PoseDataSample()
    sample.gt_instance_labels = InstanceData(
        keypoints=torch.from_numpy(keypoints), keypoint_weights=torch.from_numpy(weights)
    )
    return sample


def test_golden_head(golden):
    reference = golden('pose_head')
    weights = reference['state_dict']
    head = build_head(
        in_channels=weights['deconv_layers.0.weight'].shape[0],
        out_channels=weights['final_layer.weight'].shape[0],
        deconv_out_channels=[weights[f'deconv_layers.{i}.weight'].shape[1] for i in (0, 3)],
        conv_out_channels=[weights[f'conv_layers.{i}.weight'].shape[0] for i in (0, 3)],
    )
    head.load_state_dict(weights, strict=True)
    with torch.no_grad():
        output = head((torch.from_numpy(reference['feat']),))
    torch.testing.assert_close(output, torch.from_numpy(reference['output']), rtol=1e-5, atol=1e-5)


def test_loss_is_that_of_upstreams_targets():
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(-20, 80, (2, 1, 5, 2)).astype(np.float32)
    visible = rng.integers(0, 2, (2, 1, 5)).astype(np.float32)
    head = build_head()
    feats = (torch.randn(2, 8, 4, 3),)
    samples = [make_sample(*pair) for pair in zip(keypoints, visible, strict=True)]
    loss = head.loss(feats, samples)['loss_kpt']
    codec = MMPoseUDPHeatmap((48, 64), (12, 16), sigma=2)
    targets = [codec.encode(*pair) for pair in zip(keypoints, visible, strict=True)]
    expected = KeypointMSELoss(use_target_weight=True)(
        head(feats),
        torch.stack([torch.from_numpy(t['heatmaps']) for t in targets]),
        torch.cat([torch.from_numpy(t['keypoint_weights']) for t in targets]),
    )
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


def test_weights_start_small():
    weight = build_head(deconv_out_channels=(64, 64)).deconv_layers[0].weight
    assert 0.0009 < weight.std() < 0.0011


def test_data_with_another_number_of_keypoints_is_named():
    sample = make_sample(np.zeros((1, 17, 2), np.float32), np.ones((1, 17), np.float32))
    with pytest.raises(
        ValueError, match='data has 17 keypoints, the head 5; set model.head.out_ch'
    ):
        build_head().loss((torch.zeros(1, 8, 4, 3),), [sample])


def test_flip_test_averages_with_the_swapped_mirror_image():
    head = build_head().eval()
    features, mirrored = torch.randn(2, 1, 8, 4, 3)
    flip_indices = [0, 2, 1, 4, 3]
    sample = PoseDataSample(metainfo={'flip_indices': flip_indices})
    with torch.no_grad():
        (result,), (maps,) = head.predict(
            [(features,), (mirrored,)],
            [sample],
            {'flip_test': True, 'shift_heatmap': False, 'output_heatmaps': True},
        )
        expected = (head((features,)) + head((mirrored,)).flip(-1)[:, flip_indices]) / 2
    torch.testing.assert_close(maps.heatmaps, expected[0])
    points, scores = head.decoder.batch_decode(expected)
    np.testing.assert_array_equal(result.keypoints, points[0])
    np.testing.assert_array_equal(result.keypoint_scores, scores[0])


def test_only_the_first_keypoints_are_trained():
    torch.manual_seed(0)
    head = build_head()
    feats = (torch.randn(2, 8, 4, 3),)
    points = np.random.default_rng(0).uniform(1, 10, (2, 1, 5, 2)).astype(np.float32)
    samples = [make_sample(p, np.ones((1, 5), np.float32)) for p in points]
    whole = head.forward(feats)
    head.trained = 2
    loss = head.loss(feats, samples)['loss_kpt']
    targets, weights = head.decoder.encode_batch(
        torch.from_numpy(points[:, 0, :2]), torch.ones(2, 2)
    )
    torch.testing.assert_close(loss, head.loss_module(whole[:, :2], targets, weights))
    loss.backward()
    touched = head.final_layer.weight.grad.flatten(1).abs().sum(1) > 0
    assert touched.tolist() == [True, True] + [False] * (len(touched) - 2)


def upstream_samples(keypoints, visible, codec=CODEC):
    """What mmpose's GenerateTarget and PackPoseInputs make of keypoints in pixels of the input."""
    init_default_scope('mmpose')
    generate = TRANSFORMS.build(dict(type='GenerateTarget', encoder=codec))
    pack = TRANSFORMS.build(dict(type='PackPoseInputs'))
    samples = []
    for points, seen in zip(keypoints, visible, strict=True):
        results = {
            'img': np.zeros((64, 48, 3), np.uint8),
            'keypoints': points,
            'transformed_keypoints': points,
            'keypoints_visible': seen,
            'dataset_keypoint_weights': np.ones(points.shape[1], np.float32),
        }
        samples.append(pack(generate(results))['data_samples'])
    return samples


def test_upstreams_targets_train_it_alike():
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(5, 40, (2, 1, 5, 2)).astype(np.float32)
    visible = rng.integers(0, 2, (2, 1, 5)).astype(np.float32)
    feats = (torch.randn(2, 8, 4, 3),)
    ours = [make_sample(*pair) for pair in zip(keypoints, visible, strict=True)]
    upstream = dict(type='UDPHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=2)
    for head in (build_head(), build_head(trained=3)):
        expected = head.loss(feats, ours)['loss_kpt']
        for codec in (CODEC, upstream):
            found = head.loss(feats, upstream_samples(keypoints, visible, codec))['loss_kpt']
            torch.testing.assert_close(found, expected)


def test_targets_that_do_not_fit_are_named():
    points, seen = np.full((1, 1, 5, 2), 20, np.float32), np.ones((1, 1, 5), np.float32)
    feats = (torch.zeros(1, 8, 4, 3),)
    small = upstream_samples(points, seen, {**CODEC, 'heatmap_size': (6, 8)})
    with pytest.raises(ValueError, match='makes heatmaps of 12 x 16, the targets have 6 x 8'):
        build_head().loss(feats, small)
    few = upstream_samples(points[:, :, :3], seen[:, :, :3])
    with pytest.raises(ValueError, match='the data has 3 keypoints, the head 5'):
        build_head().loss(feats, few)
    neither = PoseDataSample()
    neither.gt_instance_labels = InstanceData(keypoint_weights=torch.ones(1, 5))
    with pytest.raises(
        ValueError, match='end the training pipeline with sapiens_pose.PackKeypoints'
    ):
        build_head().loss(feats, [neither])
