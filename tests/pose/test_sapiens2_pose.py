# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2's pose: the head, its loss and its crops and keypoints equal the reference's."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.datasets.transforms import GetBBoxCenterScale
from mmpose.evaluation import pose_pck_accuracy
from mmpose.models.losses import KeypointMSELoss
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

from sapiens_common.layouts.goliath308 import load_goliath308
from sapiens_pose.codecs import BatchedUDPHeatmap
from sapiens_pose.models import HardKeypointMSELoss
from sapiens_pose.transforms import DecodeTopdownAffine


def close(found, expected):
    """Equal to 1e-5, relative to the largest number."""
    expected = torch.as_tensor(expected, dtype=torch.float32)
    atol = 1e-5 * expected.abs().max().item()
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def make_head(settings, codec, **kwargs):
    init_default_scope('mmpose')
    return MODELS.build(
        dict(
            type='sapiens_pose.PoseHead',
            in_channels=settings['in_channels'],
            out_channels=settings['out_channels'],
            deconv_out_channels=settings['deconv_out_channels'],
            conv_out_channels=settings.get('conv_out_channels', settings['deconv_out_channels']),
            loss=dict(type='KeypointMSELoss', use_target_weight=True, loss_weight=10.0),
            decoder=dict(type='sapiens_pose.BatchedUDPHeatmap', **codec),
            **kwargs,
        )
    )


CODEC = dict(input_size=(48, 64), heatmap_size=(12, 16), sigma=6)


def test_golden_head(golden):
    data = golden('sapiens2/head_pose')
    head = make_head(data['meta']['head'], CODEC)
    head.load_state_dict(
        {
            name.replace('conv_pose.', 'final_layer.'): value
            for name, value in data['state_dict'].items()
        }
    )
    features = torch.from_numpy(data['feat']).requires_grad_()
    output = head((features,))
    output.backward(torch.from_numpy(data['cotangent_output']))
    expected = torch.from_numpy(data['output']), torch.from_numpy(data['grad_feat'])
    torch.testing.assert_close(output, expected[0], rtol=0, atol=1e-4)
    atol = 1e-4 * max(1, expected[1].abs().max().item())
    torch.testing.assert_close(features.grad, expected[1], rtol=0, atol=atol)


def test_golden_losses(golden):
    data = golden('sapiens2/losses_pose')
    for case in data['meta']['cases']:
        settings = dict(case['loss'])
        kind = settings.pop('type')
        arguments = [torch.from_numpy(data[key]) for key in case['args'].values()]
        if kind == 'KeypointMSELoss':
            # The released class takes the weights whenever it is given some.
            settings['use_target_weight'] = len(arguments) == 3
            loss = KeypointMSELoss(**settings)
        else:
            loss = HardKeypointMSELoss(**settings)
        pred = arguments[0].requires_grad_()
        value = loss(*arguments)
        value.backward()
        close(value, data[f'{case["name"]}/value'])
        close(pred.grad[:, ::7], data[f'{case["name"]}/grad'])


def test_golden_total_of_the_head(golden, monkeypatch):
    data = golden('sapiens2/losses_pose')
    (case,) = data['meta']['head_cases']
    head = make_head(case['head'], CODEC)
    pred = torch.from_numpy(data['pred']).requires_grad_()
    monkeypatch.setattr(head, 'forward', lambda feats: pred)
    # Its sigma of 1.5 is not one of ours, whose patches reach a whole number of pixels.
    targets = torch.from_numpy(data['heatmaps']), torch.from_numpy(data['weights'])
    monkeypatch.setattr(head.decoder, 'encode_batch', lambda *labels: targets)
    samples = []
    for keypoints, weights in zip(data['keypoints'], data['keypoint_weights'], strict=True):
        sample = PoseDataSample()
        sample.gt_instance_labels = InstanceData(
            keypoints=torch.from_numpy(keypoints)[None], keypoint_weights=torch.from_numpy(weights)
        )
        samples.append(sample)
    losses = head.loss((), samples)
    losses['loss_kpt'].backward()
    close(losses['loss_kpt'], data['head/loss_kpt'])
    close(losses['loss_kpt'], data['head/loss'])
    close(pred.grad[:, ::7], data['head/grad/pred'])
    _, accuracy, _ = pose_pck_accuracy(data['pred'], data['heatmaps'], data['weights'] > 0)
    assert accuracy == pytest.approx(float(data['head/acc_pose']))


def test_golden_crops(golden):
    data = golden('sapiens2/inference_pose')
    codec = data['meta']['codec']
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    for index, box in enumerate(data['boxes']):
        results = {'img': data['image'], 'bbox': box[None], 'img_shape': data['image'].shape[:2]}
        results = GetBBoxCenterScale(padding=1.25).transform(results)
        results = DecodeTopdownAffine(codec['input_size'], use_udp=True, cubic=True).transform(
            results
        )
        np.testing.assert_allclose(results['input_center'], data[f'box{index}/bbox_center'][0])
        np.testing.assert_allclose(results['input_scale'], data[f'box{index}/bbox_scale'][0])
        found = (results['img'][..., ::-1] - mean) / std
        expected = data[f'box{index}/model_input'][0].transpose(1, 2, 0)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize('weighted', [False, True], ids=['visibility', 'with loss weights'])
def test_points_outside_the_crop_are_hidden(weighted):
    points = np.array([[[0.5, 0.5], [46.5, 62.5], [-0.5, 30], [20, 63.5]]])  # in the input
    visible = np.ones((1, 4, 2) if weighted else (1, 4), np.float32)
    results = {
        'img': np.zeros((64, 48, 3), np.uint8),
        'bbox_center': np.array([[24.0, 32.0]]),
        'bbox_scale': np.array([[48.0, 64.0]]),
        'keypoints': points * [48 / 47, 64 / 63],  # UDP counts distances between pixels
        'keypoints_visible': visible,
    }
    shown = DecodeTopdownAffine((48, 64), use_udp=True)(dict(results))
    np.testing.assert_array_equal(shown['keypoints_visible'], visible)
    hidden = DecodeTopdownAffine((48, 64), use_udp=True, hide_outside=True)(dict(results))
    np.testing.assert_allclose(hidden['transformed_keypoints'], points, atol=1e-4)
    found = hidden['keypoints_visible'].reshape(4, -1)[:, 0]
    np.testing.assert_array_equal(found, [1, 1, 0, 0])


def test_golden_keypoints(golden):
    data = golden('sapiens2/inference_pose')
    codec = data['meta']['codec']
    decoder = BatchedUDPHeatmap(
        codec['input_size'], codec['heatmap_size']
    )  # sigma is of targets only
    points = load_goliath308()['keypoints']
    ids = {point['name']: point['id'] for point in points}
    partners = [ids[point['swap']] if point['swap'] else point['id'] for point in points]
    maps = torch.from_numpy(data['raw'])
    averaged = (maps + torch.from_numpy(data['raw_flipped']).flip(-1)[:, partners]) / 2
    for index in range(len(data['boxes'])):
        scale = data[f'box{index}/bbox_scale'][0]
        corner = data[f'box{index}/bbox_center'][0] - scale / 2
        for name, heatmaps in (('plain', maps), ('flip_test', averaged)):
            (found,), (scores,) = decoder.batch_decode(heatmaps)
            found = found[0] / codec['input_size'] * scale + corner
            np.testing.assert_allclose(scores[0], data[f'box{index}/{name}/scores'], atol=1e-5)
            np.testing.assert_allclose(found, data[f'box{index}/{name}/keypoints'], atol=1e-3)
