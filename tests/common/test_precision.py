# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Which precision is picked on which hardware, and that slow ones are warned of."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from old_torch import needs_float16
from torch import nn
from torch._dynamo.testing import CompileCounter

from sapiens_common.models import precision
from sapiens_common.models.precision import compile_modules, lower_precision, parse_dtype

CPU, GPU = torch.device('cpu'), torch.device('cuda')


@pytest.fixture
def said(monkeypatch):
    """What is logged: (level, text)."""
    texts = []
    logger = SimpleNamespace(
        info=lambda text: texts.append(('info', text)),
        warning=lambda text: texts.append(('warning', text)),
    )
    monkeypatch.setattr(precision.MMLogger, 'get_current_instance', lambda: logger)
    return texts


@pytest.fixture
def hardware(monkeypatch):
    """`hardware(flags, capability)`: another CPU and GPU."""

    def set_up(flags=(), capability=(8, 0)):
        monkeypatch.setattr(precision, 'cpu_flags', lambda: frozenset(flags))
        monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: capability)

    return set_up


@pytest.mark.parametrize(
    ('device', 'flags', 'capability', 'training', 'expected'),
    [
        (CPU, ['avx2'], (8, 0), False, torch.float32),
        (CPU, ['avx2'], (8, 0), True, torch.float32),
        (CPU, ['avx2', 'avx512_bf16'], (7, 0), False, torch.bfloat16),
        (CPU, ['amx_bf16'], (7, 0), True, torch.bfloat16),
        (CPU, ['asimd', 'bf16'], (7, 0), False, torch.bfloat16),  # Arm
        (GPU, [], (9, 0), False, torch.bfloat16),
        (GPU, ['avx512_bf16'], (7, 5), False, torch.float32),
        (GPU, [], (7, 5), True, torch.float16),
        (torch.device('mps'), ['bf16'], (9, 0), False, torch.float32),
    ],
)
def test_auto(hardware, said, device, flags, capability, training, expected):
    hardware(flags, capability)
    assert parse_dtype('auto', device, training) == expected
    name = str(expected).removeprefix('torch.')
    assert said[0][0] == 'info' and said[0][1].startswith(f'dtype auto: {name}, as ')


@pytest.mark.parametrize(
    ('dtype', 'device', 'flags', 'capability', 'warning'),
    [
        ('bf16', CPU, ['avx2'], (8, 0), 'bfloat16 is slow here: this CPU has no instructions'),
        ('bfloat16', GPU, [], (7, 5), 'bfloat16 is slow here: device cuda'),
        pytest.param(
            *('float16', CPU, ['avx512_bf16'], (8, 0), 'float16 on a CPU'), marks=needs_float16
        ),
        ('bfloat16', CPU, ['avx512_bf16'], (8, 0), None),
        ('float16', GPU, [], (7, 5), None),
        ('float32', CPU, [], (8, 0), None),
        (None, CPU, [], (8, 0), None),
    ],
)
def test_slow_choices_are_warned_of(hardware, said, dtype, device, flags, capability, warning):
    hardware(flags, capability)
    parse_dtype(dtype, device)
    assert [level for level, _ in said] == (['warning'] if warning else [])
    assert not warning or said[0][1].startswith(warning)


def test_this_cpu_is_read():
    # The kernel lists dozens on x86 and Arm; other systems have no such file.
    flags = precision.cpu_flags()
    assert not flags or flags & {'fpu', 'fp', 'asimd'}


def test_float16_on_the_cpu_of_an_old_torch(monkeypatch):
    monkeypatch.setattr(torch, '__version__', '2.1.2')
    with pytest.raises(ValueError, match='float16 on cpu needs torch 2.3 or newer, found 2.1.2'):
        parse_dtype('float16', CPU)


def test_unknown_types():
    with pytest.raises(ValueError, match=r"dtype 'int8' is not one of \['auto', 'bf16'"):
        parse_dtype('int8', CPU)


def test_a_low_precision_is_compiled_once(monkeypatch):
    counter = CompileCounter()
    monkeypatch.setattr(torch, 'compile', partial(torch.compile, backend=counter))
    model = nn.Module()
    model.backbone = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    lower_precision(model, torch.bfloat16, torch.device('cpu'))
    expected = model.backbone(torch.ones(2, 4))
    compile_modules(model)
    for _ in range(4):
        output = model.backbone(torch.ones(2, 4))
    assert counter.frame_count == 1
    assert output.dtype == torch.float32
    torch.testing.assert_close(output, expected)
