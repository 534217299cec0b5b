# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The encoder equals the reference's numbers and upstream's ViT, and keeps its key layout."""

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

from sapiens_pretrain.models.vit import ARCH_ZOO, SapiensViT, resolve_arch

TINY = dict(arch='tiny', img_size=(64, 48))


@pytest.mark.parametrize('name', ['backbone_pad0', 'backbone_pad2'])
def test_equals_reference(golden, name):
    data = golden(name)
    meta = data['meta']
    model = SapiensViT(
        arch=meta['arch'],
        img_size=tuple(meta['img_size']),
        patch_size=meta['patch_size'],
        patch_padding=meta['patch_padding'],
    ).eval()
    model.load_state_dict(data['state_dict'])
    with torch.no_grad():
        output = model(torch.from_numpy(data['input']))[0].numpy()
    np.testing.assert_allclose(output, data['output'], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('cls_token', [False, True])
@pytest.mark.parametrize('padding', [0, 2])
def test_equals_upstream(cls_token, padding):
    mmpretrain = pytest.importorskip('mmpretrain.models', reason='the oracle needs mmpretrain')
    arch = dict(embed_dims=48, num_layers=2, num_heads=4, feedforward_channels=96)
    settings = dict(out_type='featmap', with_cls_token=cls_token, img_size=(64, 48))
    patch = dict(patch_cfg=dict(padding=padding)) if padding else {}
    theirs = mmpretrain.VisionTransformer(arch=arch, patch_size=16, **settings, **patch)
    theirs.eval()
    ours = SapiensViT(arch=arch, patch_padding=padding, **settings).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    assert ours.load_state_dict(theirs.state_dict()) is not None
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(ours(images)[0], theirs(images)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('size', ['0.3b', '0.6b', '1b', '2b'])
@pytest.mark.parametrize('prefix', ['', 'sapiens_'])
def test_published_keys(checkpoint_keys, size, prefix):
    with torch.device('meta'):
        model = SapiensViT(arch=prefix + size)
    found = {f'backbone.{name}': tuple(value.shape) for name, value in model.state_dict().items()}
    recorded = checkpoint_keys('pose_goliath', size)
    assert found == {name: shape for name, shape in recorded.items() if name.startswith('backbone')}


@pytest.mark.parametrize(
    ('size', 'millions'), [('0.3b', 303.1), ('0.6b', 630.7), ('1b', 1134.4), ('2b', 2126.0)]
)
def test_parameter_count_of_the_paper(size, millions):
    with torch.device('meta'):
        model = SapiensViT(arch=size)
    count = sum(p.numel() for name, p in model.named_parameters() if name != 'pos_embed')
    assert round(count / 1e6, 1) == millions


@pytest.mark.parametrize(
    ('out_type', 'shape'),
    [
        ('featmap', (2, 192, 4, 3)),
        ('avg_featmap', (2, 192)),
        ('cls_token', (2, 192)),
        ('raw', (2, 13, 192)),
    ],
)
def test_out_types(out_type, shape):
    model = SapiensViT(**TINY, with_cls_token=True, out_type=out_type)
    assert model(torch.randn(2, 3, 64, 48))[0].shape == shape


def test_out_indices_return_each_block():
    model = SapiensViT(**TINY, out_indices=(0, 2, -1)).eval()
    outputs = model(torch.randn(1, 3, 64, 48))
    assert [output.shape for output in outputs] == [(1, 192, 4, 3)] * 3
    assert not torch.equal(outputs[0], outputs[1])


def test_other_input_size_resizes_positions():
    model = SapiensViT(**TINY)
    assert model(torch.randn(1, 3, 32, 96))[0].shape == (1, 192, 2, 6)


def test_images_are_whole_patches():
    with pytest.raises(
        ValueError,
        match=r'an image of \(64, 50\) is not a multiple of patch_size 16.*test_cfg=dict',
    ):
        SapiensViT(**TINY)(torch.randn(1, 3, 64, 50))


def test_every_parameter_learns_and_checkpointing_changes_nothing():
    torch.manual_seed(0)
    model = SapiensViT(**TINY)
    model.init_weights()
    images = torch.randn(2, 3, 64, 48)
    gradients = []
    for with_cp in (False, True):
        model.with_cp = with_cp
        model.zero_grad()
        model(images)[0].square().mean().backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
    for name, gradient in gradients[0].items():
        # The key bias cancels in softmax(q k): its gradient is exactly zero up to rounding.
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(gradient, gradients[1][name])


def test_drop_path_only_in_training():
    torch.manual_seed(0)
    model = SapiensViT(**TINY, drop_path_rate=0.9)
    model.init_weights()
    images = torch.randn(4, 3, 64, 48)
    assert not torch.equal(model(images)[0], model(images)[0])
    model.eval()
    assert torch.equal(model(images)[0], model(images)[0])


@pytest.mark.parametrize(('stages', 'trainable_blocks'), [(-1, 6), (0, 6), (2, 4), (6, 0)])
def test_frozen_stages(stages, trainable_blocks):
    model = SapiensViT(**TINY, frozen_stages=stages).train()
    learning = [any(p.requires_grad for p in block.parameters()) for block in model.layers]
    assert sum(learning) == trainable_blocks
    assert model.pos_embed.requires_grad == (stages < 0)
    assert model.ln1.weight.requires_grad == (stages < 6)
    assert model.layers[0].training == (stages < 1)


@pytest.mark.parametrize(
    ('name', 'depth'),
    [
        ('backbone.pos_embed', 0),
        ('backbone.patch_embed.projection.weight', 0),
        ('backbone.layers.0.ln1.weight', 1),
        ('backbone.layers.5.attn.qkv.bias', 6),
        ('backbone.ln1.weight', 7),
        ('head.final_layer.weight', 7),
    ],
)
def test_layer_depth(name, depth):
    assert SapiensViT(**TINY).get_layer_depth(name, 'backbone.') == (depth, 8)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(arch='7b'), "arch '7b' is not one of"),
        (dict(arch=dict(embed_dims=8)), 'a custom arch needs the keys'),
        (dict(arch='tiny', img_size=(60, 48)), 'not a multiple of patch_size 16'),
        (dict(arch='tiny', out_type='map'), "out_type 'map' is not one of"),
        (dict(arch='tiny', out_type='cls_token'), 'needs with_cls_token=True'),
        (dict(arch='tiny', out_indices=(6,)), 'not within 6 blocks'),
        (dict(arch='tiny', frozen_stages=7), r'not in \[-1, 6\]'),
    ],
)
def test_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        SapiensViT(**settings)


def test_zoo_numbers_are_the_papers():
    assert {name: tuple(arch.values()) for name, arch in ARCH_ZOO.items() if name != 'tiny'} == {
        '0.3b': (1024, 24, 16, 4096),
        '0.6b': (1280, 32, 16, 5120),
        '1b': (1536, 40, 24, 6144),
        '2b': (1920, 48, 32, 7680),
    }
    assert resolve_arch('sapiens_1B') == ARCH_ZOO['1b']


def test_registered_by_prefix():
    assert isinstance(MODELS.build(dict(type='sapiens_pretrain.SapiensViT', **TINY)), SapiensViT)
