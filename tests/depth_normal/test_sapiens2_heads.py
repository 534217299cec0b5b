# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Sapiens2's dense heads: the reference's numbers, our encoder and v1's under them, and their errors."""

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from sapiens_depth_normal.models import PixelShuffleHead, PointmapHead

L1 = dict(type='sapiens_depth_normal.PixelL1Loss')
SCALE = dict(type='sapiens_depth_normal.PointmapScaleLoss')


def under_our_name(weights, published):
    """A published head's weights with mmseg's name of the output layer."""
    return {name.replace(f'{published}.', 'conv_seg.'): value for name, value in weights.items()}


def compare(output, grad, data):
    """Outputs and the gradient to the features; gradients reach 27, where float32 itself is off by 1e-4."""
    for name, value in output.items():
        torch.testing.assert_close(value, torch.from_numpy(data[name]), rtol=0, atol=1e-4)
    expected = torch.from_numpy(data['grad_feat'])
    largest = max(1.0, expected.abs().max().item())
    torch.testing.assert_close(grad, expected, rtol=0, atol=1e-4 * largest)


@pytest.mark.parametrize(
    ('name', 'target', 'norm'),
    [
        ('head_normal', 'normal', 'instance'),
        ('head_albedo', 'albedo', 'rms'),
        ('head_matting_derived', 'matting', 'instance'),
    ],
)
def test_golden_heads(golden, name, target, norm):
    data = golden(f'sapiens2/{name}')
    settings = data['meta']['head']
    head = PixelShuffleHead(
        target,
        settings['in_channels'],
        upsample_out_channels=settings['upsample_channels'],
        conv_out_channels=settings['conv_out_channels'],
        norm=norm,
        loss_decode=L1,
    )
    head.load_state_dict(under_our_name(data['state_dict'], f'conv_{target}'))
    features = torch.from_numpy(data['feat']).requires_grad_()
    output = head((features,))
    output.backward(torch.from_numpy(data['cotangent_output']))
    compare({'output': output}, features.grad, data)


def test_golden_pointmap_head(golden):
    data = golden('sapiens2/head_pointmap')
    settings = data['meta']['head']
    head = PointmapHead(
        settings['in_channels'],
        grid_size=data['feat'].shape[2:],
        upsample_out_channels=settings['upsample_channels'],
        conv_out_channels=settings['conv_out_channels'],
        scale_conv_out_channels=settings['scale_conv_out_channels'],
        scale_linear_out_channels=settings['scale_final_layer'][1:-1],
        loss_decode=SCALE,
    )
    head.load_state_dict(under_our_name(data['state_dict'], 'conv_pointmap'))
    features = torch.from_numpy(data['feat']).requires_grad_()
    points, scale = head((features,))
    torch.autograd.backward(
        [points, scale],
        [torch.from_numpy(data['cotangent_output']), torch.from_numpy(data['cotangent_scale'])],
    )
    compare({'output': points, 'scale': scale}, features.grad, data)


def model_of(target):
    """A tiny v1 encoder under one of Sapiens2's heads."""
    head = dict(
        in_channels=192, upsample_out_channels=(8, 8), conv_out_channels=(8,), loss_decode=L1
    )
    if target == 'point':
        head.update(
            type='sapiens_depth_normal.PointmapHead',
            grid_size=(4, 3),
            scale_conv_out_channels=(8,),
            scale_linear_out_channels=(4,),
            loss_decode=[dict(type='sapiens_depth_normal.PointmapL1Loss'), SCALE],
        )
    else:
        head.update(type='sapiens_depth_normal.PixelShuffleHead', target=target)
    return MODELS.build(
        dict(
            type='sapiens_depth_normal.DenseRegressor',
            backbone=dict(type='sapiens_pretrain.SapiensViT', arch='tiny', img_size=(64, 48)),
            decode_head=head,
        )
    )


def sample_of(target, **meta):
    """Labels of one image of 64 x 48."""
    channels = dict(normal=3, albedo=3, matting=4, point=1)[target]
    field = 'gt_depth_map' if target == 'point' else f'gt_{target}_map'
    sample = SegDataSample(metainfo=dict(img_path='a.png', **meta))
    mask = torch.ones(1, 64, 48, dtype=torch.uint8)
    sample.set_data(
        {field: PixelData(data=torch.rand(channels, 64, 48) + 1), 'gt_mask': PixelData(data=mask)}
    )
    return sample


CAMERA = torch.tensor([[60.0, 0, 24], [0, 60, 32], [0, 0, 1]])


@pytest.mark.parametrize('target', ['normal', 'albedo', 'matting', 'point'])
def test_first_encoder_under_second_heads(target):
    model = model_of(target)
    model.init_weights()
    images = torch.randn(2, 3, 64, 48)
    sample = sample_of(target, intrinsics=CAMERA.numpy())
    losses = model(images, [sample, sample], mode='loss')
    sum(losses.values()).backward()
    assert not [name for name, weight in model.named_parameters() if weight.grad is None]
    model.eval()
    sizes = [(31, 50), (100, 20)]
    samples = [
        SegDataSample(
            metainfo=dict(ori_shape=size, img_shape=(64, 48), padding_size=(0, 0, 17, 17))
        )
        for size in sizes
    ]
    with torch.no_grad():
        found = [
            sample.get(f'pred_{target}_map').data
            for sample in model(images, samples, mode='predict')
        ]
    channels = 4 if target == 'matting' else 3
    assert [tuple(one.shape) for one in found] == [(channels, *size) for size in sizes]
    for one in found:
        if target == 'normal':
            torch.testing.assert_close(one.norm(dim=0), torch.ones(one.shape[1:]))
        elif target != 'point':
            assert one.min() >= 0 and one.max() <= 1
    if target == 'point':
        assert all(isinstance(sample.pred_scale, float) for sample in samples)


def test_points_are_learned_in_full_precision():
    torch.manual_seed(0)
    model = model_of('point').train()
    head, features = model.decode_head, torch.randn(1, 192, 4, 3)
    head.loss_decode.append(MODELS.build(dict(type='sapiens_depth_normal.PointmapNormalLoss')))
    sample = sample_of('point', intrinsics=CAMERA.numpy())
    half = features.bfloat16()  # what an encoder hands on
    exact = [head.loss([x], [sample], None) for x in (features, half.float())]
    with torch.autocast('cpu', torch.bfloat16):
        assert head((features,))[0].dtype == torch.bfloat16
        assert [head.loss([x], [sample], None) for x in (features, half)] == exact


def test_padding_does_not_reach_the_result():
    head = model_of('albedo').decode_head
    maps = torch.full((3, 64, 48), 0.25)
    maps[:, :10], maps[:, -6:], maps[:, :, :4] = 1, 1, 1
    result = head.restore(maps, (96, 88), (4, 0, 10, 6))
    torch.testing.assert_close(result, torch.full((3, 96, 88), 0.25))


def test_enlarged_points_are_smoothed():
    head = model_of('point').decode_head
    maps = torch.zeros(3, 15, 15)
    maps[:, 7, 7] = 1
    same = head.restore(maps, (15, 15), (0, 0, 0, 0))
    torch.testing.assert_close(same, maps)
    larger = head.restore(maps, (15, 30), (0, 0, 0, 0))
    assert 0.05 < larger.max() < 0.2
    torch.testing.assert_close(larger.sum(), maps.sum() * 2)


def test_how_it_starts():
    model = model_of('point')
    model.init_weights()
    head = model.decode_head
    assert head.upsample_blocks[0][0].weight.std().item() == pytest.approx(
        (2 / (32 * 9)) ** 0.5,
        rel=0.1,  # fan-out: 32 channels of 9 positions
    )
    assert head.scale_final_layer[1].weight.std().item() == pytest.approx(32**-0.5, rel=0.25)
    assert head.conv_seg.bias.abs().sum() == 0


def test_errors():
    with pytest.raises(ValueError, match=r"target 'depths' is not one of \['depth', 'normal'"):
        PixelShuffleHead('depths', 8, (8,), (8,), L1)
    with pytest.raises(ValueError, match=r"norm 'batch' is not one of \['instance', 'rms'\]"):
        PixelShuffleHead('normal', 8, (8,), (8,), L1, norm='batch')
    with pytest.raises(ValueError, match='upsample_out_channels and conv_out_channels are both'):
        PixelShuffleHead('normal', 8, (), (), L1)
    model = model_of('point')
    with pytest.raises(ValueError, match=r'features are \(5, 3\), its scale branch is made for'):
        model.decode_head((torch.randn(1, 192, 5, 3),))
    with pytest.raises(ValueError, match=r'a\.png has no intrinsics; pointmaps need the camera'):
        model(torch.randn(1, 3, 64, 48), [sample_of('point')], mode='loss')
