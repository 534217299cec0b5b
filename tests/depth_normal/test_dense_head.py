# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Head and estimator equal the reference's numbers, and keep the key layout of the published weights."""

import numpy as np
import pytest
import torch
from benchmarks.harness.live_memory import LiveTensors
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from old_torch import needs_counting

from sapiens_depth_normal.geometry import convert_normals
from sapiens_depth_normal.models import DenseHead

SILOG = dict(type='sapiens_depth_normal.MaskedSiLogLoss')
NORMAL_LOSSES = [
    dict(type='sapiens_depth_normal.CosineLoss'),
    dict(type='sapiens_depth_normal.PixelL1Loss'),
]


def head_of(meta, target):
    return DenseHead(
        target,
        meta['in_channels'],
        deconv_out_channels=(meta['channels'],) * meta['deconv'],
        conv_out_channels=(meta['channels'],) * meta['conv'],
        loss_decode=SILOG if target == 'depth' else NORMAL_LOSSES,
        dropout_ratio=0.1,
    )


def sample_of(target, label, mask, **meta):
    sample = SegDataSample(metainfo=meta)
    sample.set_data({f'gt_{target}_map': PixelData(data=label), 'gt_mask': PixelData(data=mask)})
    return sample


@pytest.mark.parametrize(
    ('target', 'logged'), [('depth', {'loss_silog'}), ('normal', {'loss_cosine_sim', 'loss_l1'})]
)
def test_equals_reference(golden, target, logged):
    data = golden(f'{target}_head')
    head = head_of(data['meta'], target).eval()
    head.load_state_dict(data['state_dict'])
    features = (torch.from_numpy(data['feat']),)
    with torch.no_grad():
        output = head(features).numpy()
    np.testing.assert_allclose(output, data['output'], rtol=1e-5, atol=1e-5)
    # The reference marks pixels without a label by values: -1 in depth, -1000 in normals.
    labels = torch.from_numpy(data['gt'])
    valid = labels[:, :1] > (1e-6 if target == 'depth' else -100)
    samples = [sample_of(target, *pair) for pair in zip(labels, valid, strict=True)]
    losses = head.loss(features, samples, None)
    assert set(losses) == logged
    for name, value in losses.items():
        np.testing.assert_allclose(value.item(), data[name], rtol=1e-5)


@pytest.mark.parametrize('size', ['0.3b', '0.6b', '1b', '2b'])
@pytest.mark.parametrize('task', ['depth', 'normal'])
def test_published_keys(root, checkpoint_keys, task, size):
    config = Config.fromfile(root / f'configs/{task}/sapiens_{size}_render_people.py')
    with torch.device('meta'):
        model = MODELS.build(config.model)
    found = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert found == checkpoint_keys(f'{task}_render_people', size)


def regressor(target):
    head = dict(
        type='sapiens_depth_normal.DenseHead',
        target=target,
        in_channels=192,
        deconv_out_channels=(8, 8),
        conv_out_channels=(8,),
        loss_decode=SILOG if target == 'depth' else NORMAL_LOSSES,
    )
    model = MODELS.build(
        dict(
            type='sapiens_depth_normal.DenseRegressor',
            backbone=dict(type='sapiens_pretrain.SapiensViT', arch='tiny', img_size=(64, 48)),
            decode_head=head,
        )
    )
    return model.eval()


@pytest.mark.parametrize(('target', 'channels'), [('depth', 1), ('normal', 3)])
def test_predicts_at_original_sizes(target, channels):
    model = regressor(target)
    images = torch.randn(2, 3, 64, 48)
    sizes = [(31, 50), (100, 20)]
    samples = [SegDataSample(metainfo=dict(ori_shape=size, img_shape=(64, 48))) for size in sizes]
    with torch.no_grad():
        batch = model(images, samples, mode='predict')
        alone = model(images[:1], mode='predict')[0].get(f'pred_{target}_map').data
        raw = model(images)
    maps = [sample.get(f'pred_{target}_map').data for sample in batch]
    assert [tuple(found.shape) for found in maps] == [(channels, *size) for size in sizes]
    assert all(found.dtype == torch.float32 for found in maps)
    assert alone.shape == (channels, 64, 48) and raw.shape == (2, channels, 16, 12)
    if target == 'normal':
        for found in maps:
            torch.testing.assert_close(found.norm(dim=0), torch.ones(found.shape[1:]))


@pytest.mark.parametrize('offset', [0.0, 1e-5])
def test_short_normals(offset):
    """Sapiens's demo divides by the length plus 1e-5."""
    head = DenseHead('normal', 8, (8,), (8,), NORMAL_LOSSES, normal_offset=offset)
    raw = torch.randn(3, 4, 3)
    raw /= raw.norm(dim=0) / torch.tensor([6e-3, 1.0, 10.0])
    sample = SegDataSample(metainfo=dict(ori_shape=(4, 3)))
    head.store(raw[None], [sample])
    found = sample.pred_normal_map.data
    torch.testing.assert_close(found, raw / (raw.norm(dim=0) + offset), rtol=0, atol=1e-6)
    assert (found.norm(dim=0)[:, 0] < 0.9985).all() == (offset > 0)  # 1.7e-3 at a length of 6e-3


@needs_counting
@pytest.mark.parametrize('target', ['normal', 'depth'])
def test_large_photos_need_little_more_than_their_maps(target):
    head = DenseHead(target, 8, (4,), (4,), loss_decode=SILOG)
    channels, size = head.num_classes, (1024, 1024)
    with LiveTensors([]) as found:
        maps = head.restore(torch.randn(channels, 64, 64), size, (0, 0, 0, 0))
    one = 4 * size[0] * size[1]  # bytes of a channel
    assert found.peak < (channels + 1.2) * one
    assert maps.permute(1, 2, 0).is_contiguous()  # as results have it
    if target == 'normal':
        vectors = maps.permute(1, 2, 0).numpy()
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1, atol=1e-6)
        assert convert_normals(vectors, 'opengl') is vectors


def test_loss_dict_trains_the_whole_model():
    model = regressor('normal').train()
    label = torch.nn.functional.normalize(torch.randn(3, 64, 48), dim=0)
    sample = sample_of('normal', label, torch.ones(1, 64, 48, dtype=torch.uint8))
    losses = model(torch.randn(1, 3, 64, 48), [sample], mode='loss')
    assert set(losses) == {'decode.loss_cosine_sim', 'decode.loss_l1'}
    sum(losses.values()).backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert not without


def test_errors():
    with pytest.raises(ValueError, match=r"target 'albedos' is not one of \['depth', 'normal'"):
        DenseHead('albedos', 8, (8,), (8,), SILOG)
    with pytest.raises(ValueError, match='are both empty'):
        DenseHead('depth', 8, (), (), SILOG)
    head = DenseHead('depth', 8, (8,), (8,), SILOG)
    sample = SegDataSample(metainfo=dict(img_path='a.png'))
    with pytest.raises(ValueError, match=r'a\.png has no gt_depth_map: let the dataset read'):
        head.loss((torch.randn(1, 8, 4, 3),), [sample], None)
