# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""MAE's parts equal the reference's numbers, upstream's modules, and the published key layout."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

from sapiens_pretrain.mae.decoder import MAEDecoder
from sapiens_pretrain.mae.encoder import MaskedSapiensViT
from sapiens_pretrain.mae.head import MAEHead, patchify, unpatchify
from sapiens_pretrain.mae.masking import random_masking
from sapiens_pretrain.models.sincos import sincos_pos_embed

TINY = dict(embed_dims=48, num_layers=2, num_heads=4, feedforward_channels=96)
DECODER = dict(decoder_embed_dims=32, decoder_depth=2, decoder_num_heads=4)


def build_mae(img_size=(64, 48), mask_ratio=0.75, arch=TINY, **decoder):
    return MODELS.build(
        dict(
            type='mmpretrain.MAE',
            backbone=dict(
                type='sapiens_pretrain.MaskedSapiensViT',
                arch=arch,
                img_size=img_size,
                mask_ratio=mask_ratio,
            ),
            neck=dict(
                type='sapiens_pretrain.MAEDecoder',
                embed_dims=arch['embed_dims'],
                img_size=img_size,
                **(decoder or DECODER),
            ),
            head=dict(type='sapiens_pretrain.MAEHead', norm_pix=True),
            data_preprocessor=dict(type='ImgDataPreprocessor'),
        )
    )


@pytest.fixture
def mae():
    torch.manual_seed(0)
    model = build_mae()
    model.init_weights()
    return model


def test_equals_reference(golden):
    data = golden('mae')
    meta = data['meta']
    images = torch.from_numpy(data['input'])
    backbone = MaskedSapiensViT(
        arch=meta['arch'], img_size=tuple(images.shape[2:]), mask_ratio=meta['mask_ratio']
    )
    neck = MAEDecoder(
        embed_dims=meta['arch']['embed_dims'],
        img_size=tuple(images.shape[2:]),
        decoder_embed_dims=meta['decoder_embed_dim'],
        decoder_depth=meta['decoder_depth'],
        decoder_num_heads=meta['decoder_num_heads'],
    )
    head = MAEHead(norm_pix=meta['norm_pix'])
    model = torch.nn.ModuleDict({'backbone': backbone, 'neck': neck}).eval()
    model.load_state_dict(data['state_dict'])
    with torch.no_grad():
        latent, mask, restore = backbone(images, noise=torch.from_numpy(data['noise']))
        pred = neck(latent, restore)
        loss = head.loss(pred, images, mask)
    np.testing.assert_array_equal(mask, data['mask'])
    np.testing.assert_array_equal(restore, data['ids_restore'])
    for found, name in ((latent, 'latent'), (pred, 'pred'), (loss, 'loss')):
        np.testing.assert_allclose(found.numpy(), data[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('size', ['0.3b', '0.6b', '1b', '2b'])
def test_published_keys(checkpoint_keys, size, root):
    from mmengine.config import Config

    config = Config.fromfile(root / f'configs/pretrain/sapiens_{size}_humans300m.py')
    with torch.device('meta'):
        model = MODELS.build(config.model)
    found = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert found == checkpoint_keys('mae_pretrain', size)


def test_decoder_equals_upstream():
    upstream = pytest.importorskip('mmpretrain.models', reason='the oracle needs mmpretrain')
    theirs = upstream.MAEPretrainDecoder(
        num_patches=16,
        embed_dim=48,
        decoder_embed_dim=32,
        decoder_depth=2,
        decoder_num_heads=4,
    ).eval()
    ours = MAEDecoder(embed_dims=48, img_size=64, **DECODER).eval()
    theirs.init_weights()
    ours.init_weights()
    torch.testing.assert_close(ours.decoder_pos_embed, theirs.decoder_pos_embed)
    ours.load_state_dict(theirs.state_dict())
    x, restore = torch.randn(2, 5, 48), torch.rand(2, 16).argsort(dim=1)
    with torch.no_grad():
        torch.testing.assert_close(ours(x, restore), theirs(x, restore), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('norm_pix', [False, True])
def test_head_equals_upstream(norm_pix):
    upstream = pytest.importorskip('mmpretrain.models', reason='the oracle needs mmpretrain')
    loss = dict(type='PixelReconstructionLoss', criterion='L2')
    theirs = upstream.MAEPretrainHead(loss=loss, norm_pix=norm_pix)
    ours = MAEHead(norm_pix=norm_pix)
    images, pred = torch.randn(2, 3, 64, 64), torch.randn(2, 16, 768)
    mask = (torch.rand(2, 16) > 0.5).float()
    torch.testing.assert_close(ours.construct_target(images), theirs.construct_target(images))
    torch.testing.assert_close(ours.loss(pred, images, mask), theirs.loss(pred, images, mask))
    torch.testing.assert_close(unpatchify(pred, (4, 4), 16), theirs.unpatchify(pred))


def test_sincos_equals_upstream_on_squares():
    utils = pytest.importorskip('mmpretrain.models.utils', reason='the oracle needs mmpretrain')
    theirs = utils.build_2d_sincos_position_embedding(6, 32, cls_token=True)
    torch.testing.assert_close(sincos_pos_embed((6, 6), 32), theirs)


def test_sincos_of_a_rectangle_by_hand():
    table = sincos_pos_embed((4, 3), 8)[0].numpy()
    assert (table[0] == 0).all()
    for row in range(4):
        for column in range(3):
            omega = np.array([1, 0.01])
            expected = [np.sin(row * omega), np.cos(row * omega)]
            expected += [np.sin(column * omega), np.cos(column * omega)]
            found = table[1 + row * 3 + column]
            np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-6)


def test_sincos_width():
    with pytest.raises(ValueError, match='divisible by 4, got 6'):
        sincos_pos_embed((2, 2), 6)


def test_patches_round_trip_on_a_rectangle():
    images = torch.randn(2, 3, 64, 48)
    patches = patchify(images, 16)
    assert patches.shape == (2, 12, 768)
    corner = images[0, :, 16:32, 32:48].permute(1, 2, 0).flatten()  # patch (1, 2), channels last
    torch.testing.assert_close(patches[0, 5], corner)
    torch.testing.assert_close(unpatchify(patches, (4, 3), 16), images)
    with pytest.raises(ValueError, match='60 x 48 is not a multiple of patch 16'):
        patchify(images[:, :, :60], 16)


@pytest.mark.parametrize(('ratio', 'visible'), [(0.75, 16), (0.95, 3), (0.5, 32)])
def test_masking_against_numpy(ratio, visible):
    x, noise = torch.randn(2, 64, 5), torch.rand(2, 64)
    kept, mask, restore = random_masking(x, ratio, noise)
    assert kept.shape == (2, visible, 5)
    for image in range(2):
        order = np.argsort(noise[image].numpy())
        np.testing.assert_array_equal(kept[image], x[image][order[:visible]])
        expected = np.ones(64)
        expected[order[:visible]] = 0
        np.testing.assert_array_equal(mask[image], expected)
        np.testing.assert_array_equal(order[restore[image]], np.arange(64))


def test_only_visible_tokens_are_encoded(mae):
    seen = []
    mae.backbone.layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    mae.backbone(torch.randn(2, 3, 64, 48))
    assert seen == [(2, 1 + 3, 48)]


def test_hidden_patches_do_not_matter(mae):
    mae.eval()
    images, noise = torch.randn(1, 3, 64, 48), torch.rand(1, 12)
    latent, mask, _ = mae.backbone(images, noise=noise)
    changed = patchify(images, 16) + 7 * mask[..., None]
    again, _, _ = mae.backbone(unpatchify(changed, (4, 3), 16), noise=noise)
    torch.testing.assert_close(latent, again)


@pytest.mark.parametrize('ratio', [0.0, 1.0, 0.99])
def test_mask_ratio_is_checked(ratio):
    with pytest.raises(ValueError, match=f'mask_ratio {ratio} of 12 patches'):
        MaskedSapiensViT(arch=TINY, img_size=(64, 48), mask_ratio=ratio)


def test_sizes_must_agree(mae):
    latent, _, restore = mae.backbone(torch.randn(1, 3, 64, 64))
    with pytest.raises(ValueError, match='16 patches, the decoder was built for 12'):
        mae.neck(latent, restore)
    with pytest.raises(ValueError, match=r'\(60, 48\) is not a multiple of patch_size 16'):
        MAEDecoder(embed_dims=48, img_size=(60, 48))


def test_backward_reaches_every_trainable_parameter(mae):
    mae.loss(torch.randn(2, 3, 64, 48), [])['loss'].backward()
    still = [n for n, p in mae.named_parameters() if p.requires_grad and p.grad is None]
    fixed = [n for n, p in mae.named_parameters() if not p.requires_grad]
    assert still == []
    assert fixed == ['backbone.pos_embed', 'neck.decoder_pos_embed']


def test_checkpointing_changes_nothing(mae):
    images, noise = torch.randn(2, 3, 64, 48), torch.rand(2, 12)
    gradients = []
    for with_cp in (False, True):
        mae.backbone.with_cp = mae.neck.with_cp = with_cp
        mae.zero_grad()
        latent, mask, restore = mae.backbone(images, noise=noise)
        mae.head.loss(mae.neck(latent, restore), images, mask).backward()
        gradients.append([p.grad.clone() for p in mae.parameters() if p.requires_grad])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_features_are_the_plain_encoder(mae):
    mae.eval()
    images = torch.randn(1, 3, 64, 48)
    with torch.no_grad():
        (features,) = mae.extract_feat(images)
    assert features.shape == (1, 13, 48)


def test_perfect_prediction_reconstructs_the_image(mae):
    images, mask = torch.randn(2, 3, 64, 48), torch.ones(2, 12)
    masked, filled = mae.head.reconstruct(mae.head.construct_target(images), images, mask)
    assert (masked == 0).all()
    torch.testing.assert_close(filled, images, rtol=1e-4, atol=1e-4)


def test_initial_weights(mae):
    torch.testing.assert_close(mae.backbone.pos_embed.data, sincos_pos_embed((4, 3), 48))
    assert 0.01 < mae.backbone.cls_token.std() < 0.03
    limit = (6 / (48 + 3 * 48)) ** 0.5  # Glorot's bound of the query-key-value projection
    largest = mae.backbone.layers[0].attn.qkv.weight.abs().max()
    assert 0.95 * limit < largest <= limit


def test_mmpretrain_stays_out(root):
    folders = [
        str(root / f) for f in ('common', 'inference', 'pretrain', 'pose', 'seg', 'depth_normal')
    ]
    code = (
        f'import sys; sys.path[:0] = {folders}\n'
        'import sapiens_pose, sapiens_seg, sapiens_depth_normal\n'
        'from mmengine.registry import MODELS\n'
        'import sapiens_pretrain.registry as registries\n'
        "MODELS.build(dict(type='sapiens_pretrain.SapiensViT', arch='tiny', img_size=(64, 48)))\n"
        "for name in ('DATASETS', 'DATA_SAMPLERS', 'TRANSFORMS', 'HOOKS'):\n"
        '    getattr(registries, name).import_from_location()\n'
        "assert 'mmpretrain' not in sys.modules\n"
    )
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
