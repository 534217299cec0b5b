# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The Sapiens2 encoder behaves like v1's: outputs, freezing, errors, rotary positions, windows."""

import pytest
import torch
from mmengine.registry import MODELS
from old_torch import VERSION
from torch import nn
from torch.nn import functional as F

from sapiens_pretrain.models.attention import attend
from sapiens_pretrain.models.rope import GridRotaryEmbedding, rotate
from sapiens_pretrain.models.sapiens2 import SAPIENS2_ZOO, Sapiens2ViT, resolve_arch
from sapiens_pretrain.models.tokenizer import WindowTokenizer, to_windows

ARCH = dict(
    embed_dims=48, num_layers=3, num_heads=4, feedforward_channels=96, num_tokenizer_layers=2
)
TINY = dict(arch=ARCH, img_size=(64, 48))


@pytest.mark.parametrize(
    ('out_type', 'shape'),
    [
        ('featmap', (2, 48, 4, 3)),
        ('avg_featmap', (2, 48)),
        ('cls_token', (2, 48)),
        ('raw', (2, 21, 48)),
    ],
)
def test_out_types(out_type, shape):
    assert Sapiens2ViT(**TINY, out_type=out_type)(torch.randn(2, 3, 64, 48))[0].shape == shape


def test_only_the_last_output_is_normed():
    model = Sapiens2ViT(**TINY, out_indices=(0, 2, -1)).eval()
    model.init_weights()
    nn.init.zeros_(model.ln1.weight)
    outputs = model(torch.randn(1, 3, 64, 48))
    assert len(outputs) == 2  # 2 and -1 are the same block
    assert outputs[0].abs().max() > 0
    assert outputs[1].abs().max() == 0


@pytest.mark.parametrize(
    ('settings', 'size', 'message'),
    [
        ({}, (64, 50), r'an image of \(64, 50\) is not a multiple of patch_size 16'),
        (
            dict(tokenizer_window=4, img_size=64),
            (64, 96),
            r'\(64, 96\) is not a multiple of 64 \(windows of 4 patches of 16\)',
        ),
    ],
)
def test_images_are_whole_patches(settings, size, message):
    model = Sapiens2ViT(**{**TINY, **settings})
    with pytest.raises(ValueError, match=message):
        model(torch.randn(1, 3, *size))


@pytest.mark.parametrize('window', [None, 2])
def test_every_parameter_learns_and_checkpointing_changes_nothing(window):
    torch.manual_seed(0)
    model = Sapiens2ViT(arch=ARCH, img_size=(64, 32), tokenizer_window=window, layer_scale=1.0)
    model.init_weights()
    images = torch.randn(2, 3, 64, 32)
    gradients = []
    for with_cp in (False, True):
        model.with_cp = with_cp
        model.zero_grad()
        model(images)[0].square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
    for name, gradient in gradients[0].items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(gradient, gradients[1][name])


@pytest.mark.parametrize(('stages', 'trainable_blocks'), [(-1, 3), (0, 3), (2, 1), (3, 0)])
def test_frozen_stages_hold_through_train(stages, trainable_blocks):
    settings = dict(arch=ARCH, img_size=64, tokenizer_window=4, frozen_stages=stages)
    model = Sapiens2ViT(**settings).train()
    learning = [any(p.requires_grad for p in block.parameters()) for block in model.blocks]
    assert sum(learning) == trainable_blocks
    for part in (model.cls_token, model.storage_tokens, model.tokenizer.w_cls):
        assert part.requires_grad == (stages < 0)
    assert model.ln1.weight.requires_grad == (stages < 3)
    assert model.blocks[0].training == (stages < 1)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(arch='2b'), "arch '2b' is not one of"),
        (dict(arch=dict(embed_dims=8)), 'a custom arch needs the keys'),
        (dict(img_size=(60, 48)), 'not a multiple of patch_size 16'),
        (dict(img_size=(96, 64), tokenizer_window=4), 'not a multiple of 64'),
        (dict(out_type='map'), "out_type 'map' is not one of"),
        (dict(out_type='cls_token', with_cls_token=False), 'needs with_cls_token=True'),
        (dict(out_indices=(3,)), 'not within 3 blocks'),
        (dict(frozen_stages=4), r'not in \[-1, 3\]'),
        (dict(rope_dtype='half'), "rope_dtype 'half' is not one of"),
        (dict(rope_coords='both'), "rope_coords 'both' is not one of"),
        (dict(arch={**ARCH, 'num_heads': 8}), 'heads of a multiple of 4, got 6'),
        (dict(layer_cfgs=[{}]), 'layer_cfgs has 1 entries for 3 blocks'),
        (dict(layer_cfgs=dict(heads=2)), r"block 0: \['heads'\] are not among"),
        (dict(layer_cfgs=dict(num_kv_heads=3)), '4 query heads and 3 key-value heads'),
    ],
)
def test_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        Sapiens2ViT(**{**TINY, **settings})


def test_overrides_of_all_blocks():
    model = Sapiens2ViT(**TINY, layer_cfgs=dict(num_kv_heads=1, hidden=16, qk_norm=False))
    for block in model.blocks:
        assert block.attn.wk.weight.shape == (12, 48)
        assert block.ffn.w12.weight.shape == (32, 48)
        assert isinstance(block.attn.q_norm, nn.Identity)


def test_initial_weights():
    torch.manual_seed(0)
    model = Sapiens2ViT(arch='tiny', img_size=64, tokenizer_window=4)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.fill_(7)
    model.init_weights()
    for name, parameter in model.state_dict().items():
        if name == 'rope_embed.periods':
            expected = model.rope_embed.initial_periods()
        elif name.endswith('gamma.weight'):
            expected = torch.tensor(1e-4)
        elif name.endswith('.bias'):
            expected = torch.tensor(0.0)
        elif parameter.ndim == 1:
            expected = torch.tensor(1.0)
        else:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.2), name
            assert abs(parameter.mean().item()) < 0.004, name
            continue
        assert torch.equal(parameter, expected.expand_as(parameter)), name


def test_zoo():
    assert {
        name: tuple(arch.values()) for name, arch in SAPIENS2_ZOO.items() if name != 'tiny'
    } == {
        '0.1b': (768, 12, 12, 3072, 2),
        '0.4b': (1024, 24, 16, 4096, 2),
        '0.8b': (1280, 32, 16, 5120, 3),
        '1b': (1536, 40, 24, 6144, 4),
        '5b': (2432, 56, 32, 9728, 6),
    }
    assert resolve_arch('Sapiens2_1B') == SAPIENS2_ZOO['1b']


def test_tiny_is_as_large_as_the_first_generations():
    from sapiens_pretrain.models.vit import SapiensViT

    size = (256, 192)
    counts = [
        sum(p.numel() for name, p in model.named_parameters() if name != 'pos_embed')
        for model in (
            SapiensViT(arch='tiny', img_size=size),
            Sapiens2ViT(arch='tiny', img_size=size),
        )
    ]
    assert counts[1] == pytest.approx(counts[0], rel=0.01)


def test_registered_by_prefix():
    assert isinstance(MODELS.build(dict(type='sapiens_pretrain.Sapiens2ViT', **TINY)), Sapiens2ViT)


def test_rotation_keeps_lengths_and_depends_on_distance_only():
    """What a rotary embedding is for, of a grid of one row so that distance is in columns."""
    rope = GridRotaryEmbedding(8, dtype='float32')
    tables = rope((1, 6), num_prefix=1)
    q, k = torch.randn(8).expand(1, 1, 7, 8), torch.randn(8).expand(1, 1, 7, 8)
    turned_q, turned_k = rotate(q, tables)[0, 0], rotate(k, tables)[0, 0]
    torch.testing.assert_close(turned_q.norm(dim=1), q[0, 0].norm(dim=1))
    assert torch.equal(turned_q[0], q[0, 0, 0])  # the prefix
    products = turned_q[1:] @ turned_k[1:].T
    for shift in range(-3, 4):
        diagonal = products.diagonal(shift)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    assert abs(products[0, 0] - products[0, 3]) > 1e-3


def test_periods_keep_their_precision():
    rope = GridRotaryEmbedding(16)
    values = rope.periods * 1.0001
    for stored in (values, values.bfloat16()):
        rope.load_state_dict({'periods': stored})
        assert torch.equal(rope.half().periods, stored.float())
    rope.load_state_dict({})  # transformers writes none
    assert torch.equal(rope.periods, values.float()) is False
    assert torch.equal(rope.periods, rope.initial_periods())


def test_tables_are_cached_and_usable_in_training():
    rope = GridRotaryEmbedding(16)
    with torch.inference_mode():
        first = rope((2, 3))
    assert rope((2, 3)) is first
    assert not first[0].is_inference()
    assert rope((3, 2)) is not first


def test_casts_leave_the_tables_alone():
    model = Sapiens2ViT(**TINY)
    before = model.positions((4, 3))[0]
    for cast in (model.half, model.bfloat16, model.double):
        after = cast().positions((4, 3))[0]
        assert after.dtype == torch.bfloat16
        assert torch.equal(after, before)


@pytest.mark.parametrize('dtype', ['bfloat16', 'float32'])
def test_exported_rotation_has_the_same_bits(monkeypatch, dtype):
    rope = GridRotaryEmbedding(16, dtype=dtype)
    x, tables = torch.randn(2, 3, 13, 16), rope((4, 3), num_prefix=1)
    expected = rotate(x, tables)
    monkeypatch.setattr('sapiens_pretrain.models.rope._is_exporting', lambda: True)
    found = rotate(x, tables)
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)


def test_grouped_heads_are_shared_by_neighbours():
    q, k, v = torch.randn(2, 6, 5, 4), torch.randn(2, 2, 5, 4), torch.randn(2, 2, 5, 4)
    found = attend(q, k, v)
    for head in range(6):
        scores = (q[:, head] @ k[:, head // 3].transpose(1, 2) / 2).softmax(-1)
        torch.testing.assert_close(found[:, head], scores @ v[:, head // 3])


@pytest.mark.parametrize('scores', [1, 10, 150, 1 << 20])
def test_attention_of_inference_in_bfloat16_on_a_cpu(monkeypatch, scores):
    """One or some queries of a head, one or all images at a time, with shared heads: as in float32, but for rounding."""
    monkeypatch.setattr('sapiens_pretrain.models.attention._SCORES', scores)
    q, k, v = torch.randn(2, 6, 5, 4), torch.randn(2, 2, 5, 4), torch.randn(2, 2, 5, 4)
    found = attend(q.bfloat16(), k.bfloat16(), v.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), attend(q, k, v), rtol=0, atol=3e-2)


def test_windows_are_read_in_raster_order():
    x = torch.arange(24.0).view(1, 24, 1)  # a 4 x 6 grid
    windows = to_windows(x, (4, 6), 2)
    assert windows.shape == (1, 6, 4, 1)
    assert windows[0, 1, :, 0].tolist() == [2, 3, 8, 9]
    assert windows[0, 3, :, 0].tolist() == [12, 13, 18, 19]


def test_chunks_of_windows_change_nothing(monkeypatch):
    tokenizer = WindowTokenizer(16, 32, 2, num_layers=1, window=2).eval()
    for parameter in tokenizer.parameters():
        nn.init.normal_(parameter, std=0.2)
    windows = torch.randn(2, 6, 4, 16)
    whole = tokenizer(windows)
    monkeypatch.setattr('sapiens_pretrain.models.tokenizer._CHUNK', 5)
    torch.testing.assert_close(tokenizer(windows), whole)


@pytest.mark.parametrize('training', [False, True])
def test_attention_under_autocast_on_a_cpu(training):
    """Training computes in float32, inference in bfloat16; both are close to the exact result."""
    q, k, v = (torch.randn(1, heads, 5, 8, requires_grad=training) for heads in (4, 2, 2))
    with torch.autocast('cpu', torch.bfloat16):
        found = attend(q, k, v)
    # Before torch 2.4 autocast leaves attention on a CPU alone.
    exact = training or VERSION < (2, 4)
    assert found.dtype == (torch.float32 if exact else torch.bfloat16)
    torch.testing.assert_close(found.float(), attend(q, k, v), rtol=0, atol=2e-2)


def test_autocast_attends_in_bfloat16():
    model = Sapiens2ViT(**TINY).eval()
    model.init_weights()
    images = torch.randn(1, 3, 64, 48)
    with torch.no_grad():
        exact = model(images)[0]
        with torch.autocast('cpu', torch.bfloat16):
            rounded = model(images)[0]
    assert rounded.dtype == torch.float32  # the residual stream
    assert 0 < (rounded - exact).abs().mean() < 0.05


def test_rms_norm_where_torch_has_none(monkeypatch):
    from sapiens_pretrain.models.swiglu import RMSNorm

    norm = RMSNorm(8, eps=1e-6)
    nn.init.normal_(norm.weight)
    x = 5 * torch.randn(3, 8)
    expected = norm(x)
    monkeypatch.delattr(F, 'rms_norm', raising=False)
    torch.testing.assert_close(norm(x), expected)
    low = norm(x.bfloat16())
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), expected, rtol=0.03, atol=0.03)


@pytest.mark.parametrize('loaded', [False, True])
def test_positions_change_their_dtype_as_if_built_so(loaded):
    rope, other = (GridRotaryEmbedding(16, dtype=name) for name in ('bfloat16', 'float32'))
    if loaded:  # a checkpoint's periods stay
        for one in (rope, other):
            one.load_state_dict({'periods': torch.tensor([1.0, 2.3, 5.1, 30.7])})
    rope((4, 3))  # fills the cache
    rope.set_dtype('float32')
    for found, expected in zip(rope((4, 3)), other((4, 3)), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
