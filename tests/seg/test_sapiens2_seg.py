# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2's segmentation: head, losses, sums of the head and metrics equal the reference's."""

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric
from mmseg.models.utils import resize

from sapiens_common.transforms import Stretch
from sapiens_seg.datasets.transforms import SwapFlip
from sapiens_seg.models import BodyPartDice, SapiensSegHead, WeightedCrossEntropy
from sapiens_seg.models.labels import labels_at_size


def classes_of(weights=None):
    """29 classes, with weights or without."""
    names = {'classes': [f'class {index}' for index in range(29)]}
    return names | ({'weights': weights} if weights else {})


def make_loss(settings):
    """Our loss for a released one, or for the class's own defaults."""
    if settings['type'] == 'CrossEntropyLoss':
        weights = settings.get('class_weight')
        # A plain mean divides by the number of pixels, a weighted one by the sum of the weights.
        plain = settings.get('reduction') == 'none' or not weights
        return WeightedCrossEntropy(classes_of(weights), average='pixels' if plain else 'weights')
    return BodyPartDice(
        include_background=settings.get('include_background', False),
        count_empty=settings.get('reduction') == 'none',
        power=1 if settings.get('naive_dice') else 2,
        eps=settings.get('eps', 1e-3),
        loss_weight=settings.get('loss_weight', 1.0),
    )


def close(found, expected):
    """Equal to 1e-5, relative to the largest number."""
    expected = torch.as_tensor(expected, dtype=torch.float32)
    atol = 1e-5 * expected.abs().max().item() + 1e-12
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def test_golden_head(golden):
    data = golden('sapiens2/head_seg')
    settings = data['meta']['head']
    head = SapiensSegHead(
        settings['in_channels'],
        settings['num_classes'],
        deconv_out_channels=settings['deconv_out_channels'],
        conv_out_channels=settings['conv_out_channels'],
        dropout_ratio=0,
    )
    head.load_state_dict(data['state_dict'])
    features = torch.from_numpy(data['feat']).requires_grad_()
    output = head((features,))
    output.backward(torch.from_numpy(data['cotangent_output']))
    expected = torch.from_numpy(data['output']), torch.from_numpy(data['grad_feat'])
    torch.testing.assert_close(output, expected[0], rtol=0, atol=1e-4)
    atol = 1e-4 * max(1, expected[1].abs().max().item())
    torch.testing.assert_close(features.grad, expected[1], rtol=0, atol=atol)


def test_golden_losses(golden):
    data = golden('sapiens2/losses_seg')
    for case in data['meta']['cases']:
        logits = torch.from_numpy(data['logits']).requires_grad_()
        labels = torch.from_numpy(data[case['args']['target']])
        value = make_loss(case['loss'])(logits, labels, ignore_index=255).mean()
        value.backward()
        assert value.isfinite() and logits.grad.isfinite().all(), case['name']
        if 'raises' in case:  # a weighted mean over labels with ignored pixels
            continue
        close(value, data[f'{case["name"]}/value'].mean())
        close(logits.grad, data[f'{case["name"]}/grad'])


def test_golden_total_of_the_head(golden, labelled):
    data = golden('sapiens2/losses_seg')
    for case in data['meta']['head_cases']:
        head = SapiensSegHead(4, 29, (4,), ())
        head.loss_decode = torch.nn.ModuleList(make_loss(loss) for loss in case['loss_decode'])
        (output,) = case['outputs']
        logits = torch.from_numpy(data[output]).requires_grad_()
        losses = head.loss_by_feat(logits, labelled(torch.from_numpy(data['gt_seg'])[:, 0]))
        name = case['name']
        total = sum(value.mean() for key, value in losses.items() if key.startswith('loss'))
        total.backward()
        for key, value in losses.items():
            close(value.mean(), data[f'{name}/{key}'])
        close(total, data[f'{name}/loss'])
        close(logits.grad, data[f'{name}/grad/{output}'])


def test_golden_metrics(golden):
    data = golden('sapiens2/metrics_seg')
    for case in data['meta']['cases']:
        settings = case['evaluator']
        metric = IoUMetric(
            iou_metrics=settings.get('iou_metrics', ['mIoU']),
            nan_to_num=settings.get('nan_to_num'),
        )
        metric.dataset_meta = {'classes': [f'class {index}' for index in range(29)]}
        for batch in case['batches']:
            truth = torch.from_numpy(data[batch['data_samples']['gt_seg']])
            logits = torch.from_numpy(data[batch['pred']])
            labels = resize(logits, truth.shape[2:], mode='bilinear', align_corners=False).argmax(1)
            metric.process(
                {},
                [
                    {'pred_sem_seg': {'data': one[None]}, 'gt_sem_seg': {'data': true}}
                    for one, true in zip(labels, truth, strict=True)
                ],
            )
        found = metric.evaluate(4)  # percent of two decimals
        expected = {
            key.split('/')[1]: float(value)
            for key, value in data.items()
            if key.startswith(f'{case["name"]}/')
        }
        assert found == pytest.approx(expected, abs=1e-5)


def test_golden_training_geometry(golden):
    data = golden('sapiens2/transforms')
    case = next(case for case in data['meta']['cases'] if case['name'] == 'seg')
    flip, resize_step = case['pipeline']
    results = {'img': data['img'], 'gt_seg_map': data['gt_seg'], 'seg_fields': ['gt_seg_map']}
    results |= {'swap_pairs': flip['swap_seg_labels'], 'img_shape': data['img'].shape[:2]}
    results = SwapFlip(prob=1.0).transform(results)
    size = resize_step['height'], resize_step['width']
    results = Stretch(size, targets=True).transform(results)
    np.testing.assert_array_equal(results['img'], data['seg/img'])
    np.testing.assert_array_equal(results['gt_seg_map'], data['seg/gt_seg'])


def test_golden_inference(golden):
    data = golden('sapiens2/inference_seg')
    step = data['meta']['pipeline'][0]
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    for case in data['meta']['cases']:
        image = data[f'{case["name"]}/image']
        results = Stretch((step['height'], step['width'])).transform({'img': image})
        found = (results['img'][..., ::-1] - mean) / std
        expected = data[f'{case["name"]}/model_input'][0].transpose(1, 2, 0)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        logits = torch.from_numpy(data[f'{case["name"]}/raw'])[0]
        labels = labels_at_size(logits, [image.shape[:2]])
        np.testing.assert_array_equal(labels, data[f'{case["name"]}/labels'])
