# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2's losses equal the reference's values and gradients, and are finite where the reference's are not."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from sapiens_depth_normal.models import (
    ChromaticityLoss,
    CosineLoss,
    GradientMatchingLoss,
    IntrinsicsConsistencyLoss,
    LowFrequencyLoss,
    MattingGradientLoss,
    MattingL1Loss,
    MattingLaplacianLoss,
    PixelL1Loss,
    PixelShuffleHead,
    PointmapDepthLoss,
    PointmapL1Loss,
    PointmapNormalLoss,
    Pointmaps,
    PointmapScaleLoss,
    PointmapShiftInvariantLoss,
)
from sapiens_depth_normal.models.map_head import add_up


def make_loss(settings):
    """Our loss for a released one."""
    weight = settings['loss_weight']
    made = {
        'NormalCosineSimilarityLoss': lambda: CosineLoss(weight),
        'L1Loss': lambda: PixelL1Loss(weight),
        'NormalGradL1Loss': lambda: GradientMatchingLoss(
            1, log=False, square=True, loss_weight=weight, loss_name='loss_grad_l1'
        ),
        'AlbedoGradL1Loss': lambda: GradientMatchingLoss(
            1, log=False, square=True, loss_weight=weight / 2, loss_name='loss_grad_l1'
        ),
        'AlbedoChromaticityL1Loss': lambda: ChromaticityLoss(weight),
        'AlbedoLowFreqL1Loss': lambda: LowFrequencyLoss(settings.get('down_sample', 32), weight),
    }
    return made[settings['type']]()


def make_pointmap_loss(settings):
    """Our pointmap loss for a released one."""
    weight = settings['loss_weight']
    made = {
        'L1Loss': lambda: PointmapL1Loss(loss_weight=weight),
        'MultiscaleL1Loss': lambda: PointmapL1Loss(2, weight, 'loss_multiscale_l1_2'),
        'PointmapShiftInvariantL1Loss': lambda: PointmapShiftInvariantLoss(weight),
        'SiLogLoss': lambda: PointmapDepthLoss(loss_weight=weight),
        'PointmapIntrinsicsConsistencyLoss': lambda: IntrinsicsConsistencyLoss(weight),
        'PointmapNormalLoss': lambda: PointmapNormalLoss(weight),
        'PointmapScaleL1Loss': lambda: PointmapScaleLoss(weight),
    }
    return made[settings['type']]()


def close(found, expected):
    """Equal to 1e-5, relative to the largest number."""
    expected = torch.as_tensor(expected, dtype=torch.float32)
    largest = expected.abs().max().item()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * largest + 1e-12)


# A sum instead of a mean is an argument of the reference that no recipe uses; ours have it not.
@pytest.mark.parametrize('task', ['normal', 'albedo'])
def test_golden_losses(golden, task):
    data = golden(f'sapiens2/losses_{task}')
    tried = 0
    for case in data['meta']['cases']:
        arguments, name = case['args'], case['name']
        if 'reduction' in case['loss']:
            continue
        pred = torch.from_numpy(data[arguments['pred']]).requires_grad_()
        target = torch.from_numpy(data[arguments['target']])
        if 'valid_mask' in arguments:
            mask = torch.from_numpy(data[arguments['valid_mask']])
        else:
            mask = (target > -1000).all(1, keepdim=True)
        value = make_loss(case['loss'])(pred, target, mask)
        value.backward()
        tried += 1
        if target.isnan().any():  # there the reference's value is 0 and its gradient NaN
            assert value > 0 and pred.grad.isfinite().all()
            continue
        close(value, data[f'{name}/value'])
        close(pred.grad, data[f'{name}/grad'])
    assert tried >= 13


@pytest.mark.parametrize('task', ['normal', 'albedo'])
def test_golden_totals_of_heads(golden, task):
    data = golden(f'sapiens2/losses_{task}')
    for case in data['meta']['head_cases']:
        settings = case['head']
        head = PixelShuffleHead(
            task,
            settings['in_channels'],
            settings['upsample_channels'],
            (),
            loss_decode=dict(type='sapiens_depth_normal.PixelL1Loss'),
        )
        head.loss_decode = torch.nn.ModuleList(make_loss(loss) for loss in case['loss_decode'])
        (output,) = case['outputs']
        pred = torch.from_numpy(data[output]).requires_grad_()
        samples = []
        fields = case['data_samples']
        for target, mask in zip(data[fields[f'gt_{task}']], data[fields['mask']], strict=True):
            sample = SegDataSample()
            target, mask = (
                PixelData(data=torch.from_numpy(target)),
                PixelData(data=torch.from_numpy(mask)),
            )
            sample.set_data({f'gt_{task}_map': target, 'gt_mask': mask})
            samples.append(sample)
        check_total(head.loss_by_feat(pred, samples), {output: pred}, data, case['name'])


def check_total(losses, outputs, data, name):
    """Each logged value, their sum, and the sum's gradients."""
    for key, value in losses.items():
        close(value, data[f'{name}/{key}'])
    total = sum(losses.values())
    close(total, data[f'{name}/loss'])
    total.backward()
    for key, value in outputs.items():
        close(value.grad, data[f'{name}/grad/{key}'])


def pointmaps_of(data, mask='mask', **changes):
    """The batch of the reference file."""
    batch = Pointmaps(
        *(
            torch.from_numpy(data[key])
            for key in ('pred', 'pred_scale', 'gt', mask, 'scale', 'original_K')
        )
    )
    return batch._replace(**changes)


def test_golden_pointmap_losses(golden):
    data = golden('sapiens2/losses_pointmap')
    for case in data['meta']['cases']:
        name, arguments = case['name'], case['args']
        loss = make_pointmap_loss(case['loss'])
        pred = torch.from_numpy(data[arguments['pred']]).requires_grad_()
        maps = pointmaps_of(data, arguments.get('valid_mask', 'mask'))
        if name == 'scale':
            maps = maps._replace(pred_scale=pred)
        elif name.startswith('silog'):
            maps = maps._replace(pred=torch.cat([maps.pred[:, :2], pred], 1))
        elif arguments['pred'] == 'pred_n':  # divided by the depth over the whole mask already
            depth = torch.from_numpy(data['gt_mean_depth'])
            maps = maps._replace(pred=pred * depth)
        else:
            maps = maps._replace(pred=pred)
        value = loss(maps)
        value.backward()
        close(value, data[f'{name}/value'])
        if name == 'silog/equal':  # the reference's is NaN
            assert (pred.grad == 0).all()
        else:
            close(pred.grad, data[f'{name}/grad'])


def test_golden_total_of_the_pointmap_head(golden):
    data = golden('sapiens2/losses_pointmap')
    for case in data['meta']['head_cases']:
        outputs = {name: torch.from_numpy(data[name]).requires_grad_() for name in case['outputs']}
        pred, pred_scale = outputs.values()
        maps = pointmaps_of(data, pred=pred, pred_scale=pred_scale)
        criteria = [make_pointmap_loss(loss) for loss in case['loss_decode']]
        losses = add_up(criteria, lambda criterion, maps=maps: criterion(maps))
        assert len(losses) == 7
        check_total(losses, outputs, data, case['name'])


def matte(seed=0):
    """Prediction, target (B, 4, H, W) in 0..1 and the mask of known foregrounds: alpha 0 or 1."""
    random = torch.Generator().manual_seed(seed)
    pred, target = torch.rand(2, 2, 4, 32, 24, generator=random)
    known = torch.rand(2, 1, 32, 24, generator=random) > 0.4
    target[:, 3:] = torch.where(known, target[:, 3:].round(), target[:, 3:])
    return pred, target, known


def planes_of(pred, target, mask, part):
    """The planes that a part compares, as (pred, target, mask) arrays (H, W), 0 off the mask."""
    channels = [3] if part == 'alpha' else [0, 1, 2]
    for image in range(2):
        for channel in channels:
            valid = mask[image, 0] if part == 'foreground' else torch.ones_like(mask[image, 0])
            pair = (torch.where(valid, one[image, channel], 0).numpy() for one in (pred, target))
            yield *pair, valid.numpy()


def sobel(plane):
    """OpenCV's gradient magnitude, for a slope of one per pixel 1."""
    slopes = [
        cv2.Sobel(plane, cv2.CV_32F, dx, 1 - dx, ksize=3, borderType=cv2.BORDER_REPLICATE) / 8
        for dx in (0, 1)
    ]
    return np.hypot(*slopes)


def laplacian(plane, levels=5):
    """Sum over the levels of OpenCV's pyramid, before the division by their number."""
    total = 0
    for level in range(levels):
        # OpenCV refuses to repeat borders while it halves.
        small = cv2.GaussianBlur(plane, (5, 5), 0, borderType=cv2.BORDER_REPLICATE)[::2, ::2]
        enlarged = cv2.resize(small, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
        total += 2**level * np.abs(plane - enlarged).mean()
        plane = small
    return total / levels


@pytest.mark.parametrize('part', ['alpha', 'foreground'])
def test_matting_losses_equal_opencv(part):
    batch = matte()
    planes = list(planes_of(*batch, part))
    valid = np.concatenate([mask.ravel() for _, _, mask in planes])
    errors = np.concatenate([np.abs(p - t).ravel() for p, t, _ in planes])
    slopes = np.concatenate([np.abs(sobel(p) - sobel(t)).ravel() for p, t, _ in planes])
    pyramid = np.mean([laplacian(p - t) for p, t, _ in planes])
    for loss, expected in (
        (MattingL1Loss(part), errors[valid].mean()),
        (MattingGradientLoss(part), slopes[valid].mean()),
        (MattingLaplacianLoss(part=part), pyramid),
    ):
        np.testing.assert_allclose(loss(*batch), expected, rtol=2e-5)
        assert loss.loss_name.endswith('_pha' if part == 'alpha' else '_fgr')


def finite_cases():
    losses = {
        'chroma': (ChromaticityLoss(), 3),
        'low': (LowFrequencyLoss(4), 3),
        'edges': (GradientMatchingLoss(1, log=False, square=True), 3),
    }
    for part in ('alpha', 'foreground'):
        losses[f'matting_l1_{part}'] = MattingL1Loss(part), 4
        losses[f'matting_gradient_{part}'] = MattingGradientLoss(part), 4
        losses[f'matting_laplacian_{part}'] = MattingLaplacianLoss(part=part), 4
    return losses


@pytest.mark.parametrize('name', finite_cases())
@pytest.mark.parametrize('case', ['perfect', 'constant', 'empty'])
def test_gradients_are_finite(name, case):
    loss, channels = finite_cases()[name]
    pred, target, mask = (one[:, :channels] for one in matte())
    if case == 'perfect':
        pred = target
    elif case == 'constant':
        pred = torch.zeros_like(pred)
    else:
        mask = torch.zeros_like(mask)
    if channels == 3 or 'foreground' in name:
        target = torch.where(mask, target, torch.nan)
    if channels == 4:  # alpha is known everywhere
        target[:, 3:] = torch.where(mask, matte()[1][:, 3:], 0.5)
        if case == 'perfect':
            pred = torch.where(target.isnan(), 0.5, target)
    pred = pred.clone().requires_grad_()
    value = loss(pred, target, mask)
    value.backward()
    assert value.isfinite() and pred.grad.isfinite().all()
    if case == 'perfect' or (case == 'empty' and 'alpha' not in name):
        assert value < 1e-6


POINTMAP_LOSSES = [
    PointmapL1Loss(),
    PointmapL1Loss(2),
    PointmapShiftInvariantLoss(),
    PointmapDepthLoss(),
    IntrinsicsConsistencyLoss(),
    PointmapNormalLoss(),
]


@pytest.mark.parametrize('case', ['perfect', 'zero', 'empty'])
def test_pointmap_gradients_are_finite(case):
    depth = torch.rand(2, 1, 12, 10) + 1
    mask = torch.rand(2, 1, 12, 10) > 0.3
    if case == 'empty':
        mask = torch.zeros_like(mask)
    depth[~mask] = torch.nan
    camera = torch.tensor([[20.0, 0, 5], [0, 22, 6], [0, 0, 1]]).repeat(2, 1, 1)
    pred = torch.zeros(2, 3, 12, 10)
    maps = Pointmaps.from_depth(pred, torch.ones(2, 1), depth, mask, camera, 768)
    torch.testing.assert_close(maps.scale, torch.full((2,), 768 / 20))
    if case == 'perfect':
        pred = maps.target
    for loss in POINTMAP_LOSSES:
        pred = pred.detach().clone().requires_grad_()
        value = loss(maps._replace(pred=pred))
        value.backward()
        assert value.isfinite() and pred.grad.isfinite().all(), type(loss)
        if case != 'zero':
            assert value < 1e-5, type(loss)


def test_unknown_part():
    with pytest.raises(ValueError, match=r"part 'hair' is not one of \('alpha', 'foreground'\)"):
        MattingL1Loss('hair')
