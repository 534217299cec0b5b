# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Tuned encoders: what is trained and stored, loading over the base, merging, sharing, recomputation."""

import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn

from sapiens_common.checkpoint import load_state_dict_strict
from sapiens_pretrain.models.sapiens2 import SAPIENS2_ZOO, Sapiens2ViT
from sapiens_pretrain.models.tuning import LoRALinear, merge, share_base
from sapiens_pretrain.models.vit import ARCH_ZOO, SapiensViT

ARCH = dict(
    embed_dims=32, num_layers=3, num_heads=2, feedforward_channels=64, num_tokenizer_layers=1
)
METHODS = ('lora', 'bitfit', 'last_blocks', 'frozen')
GENERATIONS = (SapiensViT, Sapiens2ViT)


@pytest.fixture
def strategies(root):
    """The shipped strategies by name."""
    folder = root / 'configs/_base_/strategies'
    return {name: Config.fromfile(folder / f'{name}.py').tuning.to_dict() for name in METHODS}


@pytest.fixture
def make(tmp_path):
    """`make(kind, seed, **settings)`: an encoder, tuned ones over the base of that seed."""

    def make(kind, seed=0, size=(64, 48), **settings):
        path = tmp_path / f'{kind.__name__}_{seed}.pth'
        if not path.exists():
            torch.manual_seed(seed)
            plain = kind(arch=ARCH, img_size=(64, 48))
            for parameter in plain.parameters():
                nn.init.normal_(parameter, std=0.1)
            torch.save(plain.state_dict(), path)
        init_cfg = dict(type='Pretrained', checkpoint=str(path))
        return kind(arch=ARCH, img_size=size, init_cfg=init_cfg, **settings)

    return make


def started(encoder):
    encoder.init_weights()
    return encoder.eval()


def trained(encoder, images):
    """Take a large step, so that every trained tensor is far from its start."""
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape)
    return encoder(images)[0].detach()


@pytest.fixture
def images():
    return torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('kind', GENERATIONS)
@pytest.mark.parametrize('method', METHODS)
def test_train_store_load_merge(kind, method, make, strategies, images):
    tuning = strategies[method]
    base = started(make(kind))
    encoder = started(make(kind, tuning=tuning))
    assert torch.equal(encoder(images)[0], base(images)[0])

    wanted = {
        'lora': lambda n: n.endswith(('.lora_A', '.lora_B')),
        'bitfit': lambda n: n.endswith('.bias'),
        'last_blocks': lambda n: (
            n.split('.')[:2] in [[kind.BLOCKS, '1'], [kind.BLOCKS, '2']] or n.startswith('ln1.')
        ),
        'frozen': lambda n: False,
    }[method]
    for name, parameter in encoder.named_parameters():
        assert parameter.requires_grad == wanted(name), name
    stored = encoder.state_dict()
    buffers = {name for name, _ in encoder.named_buffers()}
    assert {n for n in stored if n not in buffers} == {
        n for n, _ in encoder.named_parameters() if wanted(n)
    }

    changed = trained(encoder, images)
    assert (method == 'frozen') == torch.equal(changed, base(images)[0])
    again = make(kind, tuning=tuning).eval()  # as for inference: nothing was loaded before
    load_state_dict_strict(again, {n: v.clone() for n, v in stored.items()}, 'adapter.pth')
    assert torch.equal(again(images)[0], changed)

    merge(again)
    torch.testing.assert_close(again(images)[0], changed, rtol=1e-5, atol=1e-5)
    load_state_dict_strict(base, again.state_dict(), 'merged.pth')
    assert torch.equal(base(images)[0], again(images)[0])


def test_the_change_by_hand():
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    lora = LoRALinear(layer, rank=2, alpha=6)
    nn.init.normal_(lora.lora_B)
    change = 3 * lora.lora_B @ lora.lora_A
    x = torch.randn(5, 6)
    torch.testing.assert_close(lora(x), F.linear(x, layer.weight + change, layer.bias))
    assert torch.linalg.matrix_rank(change) == 2


@pytest.mark.parametrize('kind', GENERATIONS)
def test_targets_and_blocks(kind, make):
    tuning = dict(method='lora', rank=4, targets=('attn',), blocks=(0, -1))
    encoder = make(kind, tuning=tuning)
    changed = {n for n, m in encoder.named_modules() if isinstance(m, LoRALinear)}
    layers = ['qkv', 'proj'] if kind is SapiensViT else ['wq', 'wk', 'wv', 'proj']
    assert changed == {f'{kind.BLOCKS}.{i}.attn.{name}' for i in (0, 2) for name in layers}
    assert {encoder.state_dict()[f'{name}.lora_A'].shape[0] for name in changed} == {4}


def test_another_base_is_refused(make, images):
    tuning = dict(method='lora')
    stored = started(make(SapiensViT, seed=0, tuning=tuning)).state_dict()
    for other in (
        make(SapiensViT, seed=1, tuning=tuning),
        started(make(SapiensViT, 1, tuning=tuning)),
    ):
        with pytest.raises(
            ValueError, match=r'has the fingerprint \w{12}, but .*SapiensViT_1.pth has'
        ):
            load_state_dict_strict(other, stored, 'adapter.pth')
    nameless = SapiensViT(arch=ARCH, img_size=(64, 48), tuning=tuning)
    with pytest.raises(ValueError, match=r'set model\.backbone\.init_cfg=dict'):
        load_state_dict_strict(nameless, stored, 'adapter.pth')
    with pytest.raises(ValueError, match='tuning starts from a pretrained encoder'):
        nameless.init_weights()


@pytest.mark.parametrize('kind', GENERATIONS)
def test_a_part_is_refused_by_a_plain_encoder_also_by_lenient_readers(kind, make):
    part = started(make(kind, tuning=dict(method='lora', rank=2))).state_dict()
    for strict in (True, False):
        with pytest.raises(ValueError, match='holds the tuned part of an encoder, and the config'):
            make(kind).load_state_dict(part, strict=strict)


def test_the_same_base_in_another_file_and_size(make, images, tmp_path):
    """The fingerprint is of the tensors as they were published, before the position table is resized."""
    tuning = dict(method='bitfit')
    small = started(make(SapiensViT, tuning=tuning))
    trained(small, images)
    task = {f'backbone.{n}': v for n, v in started(make(SapiensViT)).state_dict().items()}
    path = tmp_path / 'task.pth'
    torch.save({'state_dict': {**task, 'head.weight': torch.zeros(1)}, 'meta': {}}, path)
    init_cfg = dict(type='Pretrained', checkpoint=str(path))
    large = SapiensViT(arch=ARCH, img_size=(96, 80), tuning=tuning, init_cfg=init_cfg)
    load_state_dict_strict(large, small.state_dict(), 'adapter.pth')
    assert torch.equal(large.base_sha256, small.base_sha256)
    assert torch.equal(large.layers[0].attn.qkv.bias, small.layers[0].attn.qkv.bias)


@pytest.mark.parametrize('kind', GENERATIONS)
def test_many_on_one_base(kind, make, strategies, images):
    tuned = [started(make(kind, tuning=strategies[method])) for method in METHODS]
    models = [nn.Sequential(encoder) for encoder in tuned]
    expected = [trained(encoder, images) for encoder in tuned]
    alone = sum(p.numel() * 4 for p in make(kind).parameters())
    every = {p.data_ptr(): p for model in models for p in model.parameters()}
    before = sum(p.numel() * 4 for p in every.values())
    freed = share_base(
        *models, nn.Linear(2, 2), started(make(kind, seed=1, tuning=strategies['lora']))
    )
    every = {p.data_ptr(): p for model in models for p in model.parameters()}
    after = sum(p.numel() * 4 for p in every.values())
    assert before - after == freed > 2 * alone
    for encoder, output in zip(tuned, expected, strict=True):
        assert torch.equal(encoder(images)[0], output)
    assert share_base(*models) == 0


@pytest.mark.parametrize('kind', GENERATIONS)
@pytest.mark.parametrize('method', ['lora', 'bitfit', 'last_blocks'])
def test_recomputation(kind, method, make, strategies, images):
    """Gradients are the same, and every block that has some is recomputed, the first one too."""
    found = {}
    for with_cp in (False, True):
        encoder = make(kind, tuning=strategies[method], with_cp=with_cp)
        encoder.init_weights()
        torch.manual_seed(0)
        for parameter in encoder.parameters():
            if parameter.requires_grad:
                nn.init.normal_(parameter, std=0.1)
        calls = []
        for index, block in enumerate(getattr(encoder, kind.BLOCKS)):
            block.register_forward_pre_hook(
                lambda *_, index=index, calls=calls: calls.append(index)
            )
        encoder(images)[0].square().sum().backward()
        found[with_cp] = {n: p.grad for n, p in encoder.named_parameters() if p.grad is not None}
    assert sorted(calls) == ([0, 1, 1, 2, 2] if method == 'last_blocks' else [0, 0, 1, 1, 2, 2])
    assert found[True].keys() == found[False].keys() == encoder.trained
    for name, gradient in found[True].items():
        torch.testing.assert_close(gradient, found[False][name])


def test_layer_decay(make):
    model = nn.Module()
    model.backbone = started(make(Sapiens2ViT, tuning=dict(method='lora')))
    model.head = nn.Linear(32, 2)
    wrapper = build_optim_wrapper(
        model,
        dict(
            type='OptimWrapper',
            optimizer=dict(type='AdamW', lr=1.0),
            constructor='sapiens_train.LayerwiseDecayConstructor',
            paramwise_cfg=dict(layer_decay_rate=0.5),
        ),
    )
    rates = {}
    for group in wrapper.optimizer.param_groups:
        rates.update(dict.fromkeys(group['param_names'], group['lr']))
    assert {n for n in rates if n.startswith('backbone.')} == {
        f'backbone.{n}' for n in model.backbone.trained
    }
    assert rates['backbone.blocks.0.attn.wq.lora_A'] == 0.5**3
    assert rates['backbone.blocks.2.ffn.w3.lora_B'] == 0.5
    assert rates['head.weight'] == 1


@pytest.mark.parametrize(
    ('kind', 'size'),
    [*((SapiensViT, size) for size in ARCH_ZOO), *((Sapiens2ViT, size) for size in SAPIENS2_ZOO)],
)
def test_share_of_the_bytes(kind, size, strategies):
    """Below 2 %; of tiny, whose layers are narrow, with the attention alone, and of Sapiens2's tiny 2.6 %."""
    tuning = strategies['lora'] | ({'targets': ('attn',)} if size == 'tiny' else {})
    with torch.device('meta'):
        encoder = kind(arch=size, tuning=tuning)
    every = sum(p.numel() for p in encoder.parameters())
    adapter = sum(value.numel() for n, value in encoder.state_dict().items() if 'lora' in n)
    assert adapter / (every - adapter) < (0.03 if (kind, size) == (Sapiens2ViT, 'tiny') else 0.02)


@pytest.mark.parametrize(
    ('tuning', 'message'),
    [
        (dict(method='prefix'), r"tuning.method 'prefix' is not one of \['lora'"),
        (dict(method='lora', targets=('mlp',)), r"no linear layer 'mlp'; expected .*'attn\.qkv'"),
        (dict(method='lora', blocks=(3,)), 'there is no block 3 of 3'),
        (dict(method='last_blocks', blocks=4), 'must be 1 to 3, got 4'),
        (dict(method='lora', rank=0), 'tuning.rank must be at least 1, got 0'),
    ],
)
def test_errors(tuning, message):
    with pytest.raises(ValueError, match=message):
        SapiensViT(arch=ARCH, img_size=(64, 48), tuning=tuning)
    with pytest.raises(ValueError, match='leave one out'):
        SapiensViT(arch=ARCH, img_size=(64, 48), tuning=dict(method='frozen'), frozen_stages=1)


def test_start_of_a():
    """A starts as a linear layer of torch does, whose bound is the root of 1 / inputs."""
    lora = LoRALinear(nn.Linear(100, 50), rank=64, alpha=1)
    assert 0.09 < lora.lora_A.abs().max() <= 1 / math.sqrt(100)
    assert not lora.lora_B.any()
