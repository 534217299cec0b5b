# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The head: reference numbers, published keys, and both directions of mixing with upstream."""

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmseg.models.decode_heads import UPerHead
from mmseg.registry import MODELS

from sapiens_seg.models import SapiensSegHead

SIZES = ('0.3b', '0.6b', '1b', '2b')
# Vectors of convolutions are summed in another order on another machine.
CLOSE = {'rtol': 1e-5, 'atol': 2e-6}  # torch 2.1 rounds otherwise


def golden_head(meta):
    """The head as the reference file says it was built, under our loss."""
    return SapiensSegHead(
        meta['in_channels'],
        meta['num_classes'],
        deconv_out_channels=[meta['channels']] * meta['deconv'],
        conv_out_channels=[meta['channels']] * meta['conv'],
        loss_decode={
            'type': 'sapiens_seg.WeightedCrossEntropy',
            'vocabulary': {
                'classes': [f'class {i}' for i in range(meta['num_classes'])],
                'weights': meta['loss']['class_weight'],
            },
            'average': 'pixels',
            'loss_weight': meta['loss']['loss_weight'],
        },
    )


def test_reference_numbers(golden, labelled):
    reference = golden('seg_head')
    head = golden_head(reference['meta'])
    head.load_state_dict(reference['state_dict'], strict=True)
    head.eval()
    logits = head((torch.from_numpy(reference['feat']),))
    torch.testing.assert_close(logits, torch.from_numpy(reference['output']), **CLOSE)
    losses = head.loss_by_feat(logits, labelled(torch.from_numpy(reference['gt'])[:, 0]))
    expected = torch.from_numpy(reference['loss_ce'])
    torch.testing.assert_close(losses['loss_ce'], expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(losses['acc_seg'], torch.from_numpy(reference['acc_seg']))


@pytest.mark.parametrize('size', SIZES)
def test_published_keys(size, root, checkpoint_keys):
    config = Config.fromfile(root / f'configs/seg/sapiens_{size}_goliath.py')
    with torch.device('meta'):
        model = MODELS.build(config.model)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert shapes == checkpoint_keys('seg_goliath', size)


def test_dropout_acts_in_training_only():
    head = SapiensSegHead(8, 3, (16,), (), dropout_ratio=0.5)
    features = (torch.randn(2, 8, 4, 3),)
    assert not torch.equal(head(features), head(features))
    head.eval()
    assert torch.equal(head(features), head(features))
    assert SapiensSegHead(8, 3).dropout.p == 0.1


def test_every_parameter_learns(labelled):
    head = SapiensSegHead(8, 3, (8, 8), (8,))
    logits = head((torch.randn(2, 8, 4, 3),))
    assert logits.shape == (2, 3, 16, 12)
    sum(
        loss.mean()
        for loss in head.loss_by_feat(logits, labelled(torch.ones(2, 9, 7).long())).values()
    ).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


def test_wrong_number_of_classes_in_the_loss():
    loss = {'type': 'sapiens_seg.WeightedCrossEntropy', 'vocabulary': 'goliath'}
    message = 'num_classes=20, but WeightedCrossEntropy weighs 28 classes'
    with pytest.raises(ValueError, match=message):
        SapiensSegHead(8, 20, (8,), (), loss_decode=loss)
    with pytest.raises(ValueError, match=message):
        SapiensSegHead(8, 20, (8,), (), loss_decode=[{'type': 'DiceLoss'}, loss])


def train_and_predict(model, labelled):
    """One training loss with gradients everywhere, and one prediction of the label's size."""
    model = MODELS.build(ConfigDict(model))
    model.init_weights()
    images = torch.randn(2, 3, 64, 48)
    losses = model(images, labelled(torch.randint(0, 5, (2, 64, 48))), mode='loss')
    total = sum(value.mean() for name, value in losses.items() if 'loss' in name)
    total.backward()
    for part in (model.backbone, model.decode_head):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
    model.eval()
    with torch.no_grad():
        predicted = model(images, labelled(torch.zeros(2, 33, 21)), mode='predict')
    assert [tuple(p.pred_sem_seg.data.shape) for p in predicted] == [(1, 33, 21)] * 2
    return model


def test_our_encoder_under_an_upstream_head(labelled):
    """SapiensViT has one stride; upstream's neck makes the four that UPerNet wants."""
    channels = [192] * 4
    model = train_and_predict(
        {
            'type': 'EncoderDecoder',
            'backbone': {
                'type': 'sapiens_pretrain.SapiensViT',
                'arch': 'tiny',
                'img_size': (64, 48),
                'out_indices': (1, 2, 3, 5),
            },
            'neck': {
                'type': 'MultiLevelNeck',
                'in_channels': channels,
                'out_channels': 192,
                'scales': [4, 2, 1, 0.5],
            },
            'decode_head': {
                'type': 'UPerHead',
                'in_channels': channels,
                'in_index': [0, 1, 2, 3],
                'pool_scales': (1, 2),
                'channels': 16,
                'num_classes': 5,
                'norm_cfg': {'type': 'BN'},
            },
            'auxiliary_head': {
                'type': 'FCNHead',
                'in_channels': 192,
                'in_index': 2,
                'channels': 16,
                'num_classes': 5,
                'norm_cfg': {'type': 'BN'},
            },
            'test_cfg': {'mode': 'whole'},
        },
        labelled,
    )
    assert isinstance(model.decode_head, UPerHead)


def test_our_head_over_an_upstream_backbone(labelled):
    train_and_predict(
        {
            'type': 'EncoderDecoder',
            'backbone': {
                'type': 'ResNet',
                'depth': 18,
                'base_channels': 8,
                'norm_cfg': {'type': 'BN'},
            },
            'decode_head': {
                'type': 'sapiens_seg.SapiensSegHead',
                'in_channels': 64,
                'in_index': 3,
                'num_classes': 5,
                'deconv_out_channels': (16, 16),
                'conv_out_channels': (16,),
            },
            'test_cfg': {'mode': 'whole'},
        },
        labelled,
    )
