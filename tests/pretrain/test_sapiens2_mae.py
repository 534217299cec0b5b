# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Masked pretraining of a Sapiens2 encoder: what is hidden does not matter, what is seen keeps its place."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn

from sapiens_pretrain.mae.head import patchify, unpatchify
from sapiens_pretrain.mae.sapiens2 import MaskedSapiens2ViT
from sapiens_pretrain.models.sapiens2 import Sapiens2ViT

ARCH = dict(
    embed_dims=48, num_layers=2, num_heads=4, feedforward_channels=96, num_tokenizer_layers=1
)
PLAIN = dict(img_size=(64, 48))
WINDOWS = dict(img_size=(128, 96), tokenizer_window=2)


def _build(img_size, tokenizer_window=None):
    patch = 16 * (tokenizer_window or 1)
    model = MODELS.build(
        dict(
            type='mmpretrain.MAE',
            backbone=dict(
                type='sapiens_pretrain.MaskedSapiens2ViT',
                arch=ARCH,
                img_size=img_size,
                tokenizer_window=tokenizer_window,
                layer_scale=1.0,
                rope_dtype='float32',
            ),
            neck=dict(
                type='sapiens_pretrain.MAEDecoder',
                embed_dims=48,
                img_size=img_size,
                patch_size=patch,
                decoder_embed_dims=32,
                decoder_depth=1,
                decoder_num_heads=4,
            ),
            head=dict(type='sapiens_pretrain.MAEHead', patch_size=patch),
            data_preprocessor=dict(type='ImgDataPreprocessor'),
        )
    )
    torch.manual_seed(0)
    model.init_weights()
    return model


@pytest.fixture(params=[PLAIN, WINDOWS], ids=['patches', 'windows'])
def mae(request):
    return _build(**request.param)


def _images(mae, count=2):
    return torch.randn(count, 3, *mae.backbone.img_size)


def test_nothing_hidden_is_the_plain_encoder(mae):
    """With every place visible, in any order, the class token and each patch come out as without masking."""
    images, backbone = _images(mae), mae.backbone.eval()
    backbone._mask_ratio = 0.0
    latent, mask, restore = backbone(images)
    plain = backbone(images, mask=None)[0]
    assert mask.sum() == 0
    torch.testing.assert_close(latent[:, 0], plain[:, 0])
    ordered = latent[:, 1:].gather(1, restore[..., None].expand(-1, -1, 48))
    torch.testing.assert_close(ordered, plain[:, 9:])


def test_hidden_places_do_not_matter(mae):
    mae.eval()
    images, noise = _images(mae), torch.rand(2, 12)
    side = mae.head.patch_size
    latent, mask, _ = mae.backbone(images, noise=noise)
    assert latent.shape == (2, 1 + 3, 48)
    changed = patchify(images, side) + 7 * mask[..., None]
    again, _, _ = mae.backbone(unpatchify(changed, (4, 3), side), noise=noise)
    torch.testing.assert_close(latent, again)


def test_only_visible_places_are_encoded(mae):
    seen = []
    mae.backbone.blocks[0].register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    mae.backbone(_images(mae))
    assert seen == [(2, 1 + 8 + 3, 48)]


def test_hidden_windows_are_not_read():
    mae, seen = _build(**WINDOWS), []
    block = mae.backbone.tokenizer.blocks[0]
    block.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    mae.backbone(_images(mae))
    assert seen == [(2 * 3, 1 + 4, 48)]


def test_every_parameter_learns_and_recomputing_changes_nothing(mae):
    images, noise = _images(mae), torch.rand(2, 12)
    gradients = []
    for with_cp in (False, True):
        mae.backbone.with_cp = mae.neck.with_cp = with_cp
        mae.zero_grad()
        latent, mask, restore = mae.backbone(images, noise=noise)
        mae.head.loss(mae.neck(latent, restore), images, mask).backward()
        learned = {n: p.grad for n, p in mae.named_parameters() if p.requires_grad}
        gradients.append({name: grad.clone() for name, grad in learned.items()})
    for name, gradient in gradients[0].items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(gradient, gradients[1][name])


def test_initial_weights():
    backbone = MaskedSapiens2ViT(arch=ARCH, **WINDOWS)
    backbone.init_weights()
    weight = backbone.blocks[0].ffn.w12.weight
    limit = (6 / (48 + 192)) ** 0.5  # Glorot's bound
    assert 0.95 * limit < weight.abs().max() <= limit
    assert torch.equal(backbone.blocks[0].attn.gamma.weight, torch.full((48,), 1e-4))
    assert 0.01 < backbone.storage_tokens.std() < 0.03


@pytest.mark.parametrize('ratio', [0.0, 1.0])
def test_mask_ratio_is_checked(ratio):
    with pytest.raises(ValueError, match=f'mask_ratio {ratio} of 12 patches'):
        MaskedSapiens2ViT(arch=ARCH, mask_ratio=ratio, **PLAIN)


def test_a_pretrained_encoder_starts_a_task(tmp_path):
    mae = _build(**PLAIN)
    nn.init.normal_(mae.backbone.cls_token)
    torch.save({'state_dict': mae.state_dict(), 'meta': {}}, tmp_path / 'mae.pth')
    start = dict(type='Pretrained', checkpoint=str(tmp_path / 'mae.pth'))
    encoder = Sapiens2ViT(arch=ARCH, **PLAIN, init_cfg=start)
    encoder.init_weights()
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, mae.backbone.state_dict()[name]), name


def test_recipes_mask_what_the_decoder_predicts(root):
    """Encoder, decoder and head of the 4K recipe agree on windows, at every size on the image."""
    for path in (root / 'configs/pretrain').glob('sapiens2_*.py'):
        config = Config.fromfile(path)
        with torch.device('meta'):
            model = MODELS.build(config.model)
        assert model.backbone.unit == model.head.patch_size, path
        assert model.backbone.grid == model.neck.grid, path
        assert config.train_dataloader.dataset.pipeline[0].size == model.backbone.img_size, path
