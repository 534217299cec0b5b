# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The Sapiens2 encoder equals the reference's numbers and keeps its key layout."""

import json
from math import prod

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from sapiens_pretrain.models.rope import GridRotaryEmbedding
from sapiens_pretrain.models.sapiens2 import Sapiens2ViT

# Arguments of the reference by the names they have here.
NAMES = {
    'n_storage_tokens': 'num_registers',
    'use_qk_norm': 'qk_norm',
    'pos_embed_rope_dtype': 'rope_dtype',
    'pos_embed_rope_normalize_coords': 'rope_coords',
    'layer_scale_init_value': 'layer_scale',
    'window_size': 'tokenizer_window',
}
DTYPES = {'bf16': 'bfloat16', 'fp32': 'float32'}


def _arguments(kwargs):
    found = {NAMES.get(name, name): value for name, value in kwargs.items()}
    found.pop('use_tokenizer', None)
    if 'rope_dtype' in found:
        found['rope_dtype'] = DTYPES[found['rope_dtype']]
    if 'layer_cfgs' in found:
        found['layer_cfgs'] = [_arguments(change) for change in found['layer_cfgs']]
    return found


def _golden_model(data, case):
    meta = data['meta']
    model = Sapiens2ViT(arch=meta['arch'], **_arguments({**meta['kwargs'], **case['kwargs']}))
    weights = data['state_dict']
    for part in case.get('without', ()):
        start = part.removeprefix('^')
        weights = {
            name: value
            for name, value in weights.items()
            if not (name.startswith(start) if part != start else part in name)
        }
    model.load_state_dict(weights)
    return model.eval()


# Largest and mean absolute difference. bfloat16 tables amplify the noise of another machine's kernels.
@pytest.mark.parametrize(
    ('name', 'mean', 'largest'),
    [
        ('backbone_mha', 5e-4, 3e-2),
        ('backbone_gqa', 6e-3, 0.1),
        ('backbone_kv_override', 1.5e-3, 5e-2),
        ('backbone_tokenizer', 5e-4, 3e-2),
    ],
)
def test_golden_outputs(golden, name, mean, largest):
    data = golden(f'sapiens2/{name}')
    compared = set()
    for case in data['meta']['cases']:
        model = _golden_model(data, case)
        images = torch.from_numpy(data[case['input']])
        height, width = (side // model.unit * model.unit for side in images.shape[2:])
        with torch.no_grad():
            outputs = model(images[..., :height, :width])
        names = [f'out/{case["name"]}']
        if names[0] not in data:
            names = [f'{names[0]}/{index}' for index in range(len(outputs))]
        for key, output in zip(names, outputs, strict=True):
            compared.add(key)
            difference = (output - torch.from_numpy(data[key])).abs()
            if model.rope_embed.dtype == torch.float32:
                assert difference.max() <= 2e-4, key
            else:
                assert difference.mean() <= mean, key
                assert difference.max() <= largest, key
    assert compared == {key for key in data['meta']['outputs'] if key.startswith('out/')}


@pytest.mark.parametrize('precision', ['bf16', 'fp32'])
def test_golden_gradients(golden, precision):
    data = golden('sapiens2/backbone_mha')
    case = next(c for c in data['meta']['cases'] if c['name'] == f'featmap_{precision}')
    model = _golden_model(data, case)
    images = torch.from_numpy(data[case['input']]).requires_grad_()
    (model(images)[-1] * torch.from_numpy(data['cotangent'])).sum().backward()
    parameters = {**dict(model.named_parameters()), 'input': images}
    keys = [key for key in data['meta']['outputs'] if key.startswith(f'grad/{case["name"]}/')]
    assert len(keys) == 7
    tolerance = 1e-3 if precision == 'fp32' else 2e-2
    for key in keys:
        expected = torch.from_numpy(data[key])
        found = parameters[key.split('/')[2]].grad
        assert (found - expected).abs().max() <= tolerance * expected.abs().max(), key


def test_golden_rope(golden):
    data = golden('sapiens2/rope')
    compared = set()

    def compare(key, found, dtype):
        compared.add(key)
        tolerance = 0 if dtype == 'bf16' else 1e-5
        expected = data[key]
        if len(found) != len(expected):
            found = found[::61]
        np.testing.assert_allclose(found.float().numpy(), expected, rtol=0, atol=tolerance)

    for table in data['meta']['tables']:
        name, dim, dtype = table['name'], table['head_dim'], table['dtype']
        kwargs = table['kwargs']
        periods = None if kwargs['base'] else (kwargs['min_period'], kwargs['max_period'])
        grids = [*table['grids'], *([[64, 48]] if table['big'] else [])]
        for coords in table['coords']:
            rope = GridRotaryEmbedding(dim, kwargs['base'] or 100.0, periods, coords, DTYPES[dtype])
            for grid in grids:
                cos, sin = rope(tuple(grid))
                suffix = f'{name}/{coords}/{grid[0]}x{grid[1]}'
                compare(f'cos/{suffix}', cos, dtype)
                compare(f'sin/{suffix}', sin, dtype)
        compare(f'periods/{name}', rope.periods, dtype)
        if f'periods_loaded/{name}' in data:
            rope = GridRotaryEmbedding(dim, dtype=DTYPES[dtype])
            rope((4, 3))  # a cached table must not survive the load
            jitter = torch.from_numpy(data['jitter'])[: dim // 4]
            rope.load_state_dict({'periods': rope.periods * jitter})
            compare(f'periods_loaded/{name}', rope.periods.to(rope.dtype), dtype)
            cos, sin = rope((4, 3))
            compare(f'cos_loaded/{name}/4x3', cos, dtype)
            compare(f'sin_loaded/{name}/4x3', sin, dtype)
    assert compared == set(data['meta']['outputs'])


def _head(names):
    """A module with parameters of these dotted names."""
    head = nn.Module()
    for name in names:
        *path, leaf = name.split('.')
        module = head
        for part in path:
            if part not in module._modules:
                module.add_module(part, nn.Module())
            module = module._modules[part]
        shape = (2,) if leaf == 'bias' else (2, 2, 1, 1)
        module.register_parameter(leaf, nn.Parameter(torch.zeros(shape)))
    return head


def test_golden_layer_decay(golden):
    data = golden('sapiens2/layer_decay')
    meta = data['meta']
    expected = json.loads(str(data['groups']))
    model = nn.Module()
    window = meta['kwargs'][
        'window_size'
    ]  # the file's img_size is not a multiple of it, nor is it used
    model.backbone = Sapiens2ViT(arch=meta['arch'], tokenizer_window=window)
    prefix = 'decode_head.'
    model.decode_head = _head([n.removeprefix(prefix) for n in expected if n.startswith(prefix)])
    wrapper = build_optim_wrapper(
        model,
        dict(
            type='OptimWrapper',
            optimizer=dict(type='AdamW', lr=meta['lr'], weight_decay=meta['weight_decay']),
            constructor='sapiens_train.LayerwiseDecayConstructor',
            paramwise_cfg=dict(layer_decay_rate=meta['layer_decay_rate']),
        ),
    )
    found = {
        name: [int(group['group_name'].split('_')[1]), group['lr'], group['weight_decay']]
        for group in wrapper.optimizer.param_groups
        for name in group['param_names']
    }
    assert found.keys() == expected.keys()
    for name, (depth, rate, decay) in expected.items():
        assert found[name] == [depth, pytest.approx(rate, rel=1e-12), decay], name


@pytest.mark.parametrize('size', ['0.1b', '0.4b', '0.8b', '1b', '1b_4k', '5b'])
def test_published_keys(sapiens2_keys, size):
    with torch.device('meta'):
        window = 4 if size.endswith('4k') else None
        model = Sapiens2ViT(arch='sapiens2_' + size.removesuffix('_4k'), tokenizer_window=window)
    found = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert found == sapiens2_keys('pretrain', size)


@pytest.mark.parametrize(
    ('size', 'count'),
    [
        ('0.1b', 113_993_472),
        ('0.4b', 395_450_368),
        ('0.8b', 814_283_520),
        ('1b', 1_455_474_176),
        ('1b_4k', 1_606_588_928),
        ('5b', 5_066_902_976),
    ],
)
def test_parameter_count(sapiens2_keys, size, count):
    shapes = sapiens2_keys('pretrain', size)
    shapes.pop('rope_embed.periods')  # a buffer
    assert sum(prod(shape) for shape in shapes.values()) == count
