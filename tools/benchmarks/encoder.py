# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The encoder alone."""

import gc
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from benchmarks.harness import (
    Comparison,
    Settings,
    Stage,
    Target,
    compare,
    count_flops,
    relative_difference,
)
from torch import Tensor, nn

from sapiens_pretrain.models.attention import attend
from sapiens_pretrain.models.vit import resolve_arch

from .models import encoder, input_size, is_second, lowered, without_sdpa

_BASELINE = 'attention without SDPA'
# Largest differences, relative to the largest feature.
_TOLERANCE = {'float32': 1e-4, 'bfloat16': 0.1}


def run(settings: Settings) -> Stage:
    """Time every size in float32 and bfloat16, eager and compiled, against plain attention."""
    stage = Stage('encoder', 'Images to feature maps, random weights, evaluation mode.')
    sizes = settings.sizes or (
        ('0.3b', '0.6b', '1b', '2b') if settings.on_gpu else ('tiny', '0.3b')
    )
    for size in settings.sizes or ('tiny',) if settings.quick else sizes:
        model = encoder(size, settings)
        for batch in _batches(size, settings):
            found = _measure(size, batch, model, settings)
            stage.comparisons.append(found)
            if settings.on_gpu and not size.endswith('tiny'):
                best = max(case.peak_share or 0 for case in found.cases if case.dtype == 'bfloat16')
                what = f'{size}, batch {batch}: share of the bfloat16 peak'
                stage.targets.append(Target(what, 0.6, best))
        del model
        gc.collect()
    stage.comparisons.append(measure_attention(settings))
    stage.notes.append(
        '"of peak" is the share of a 2048 x 2048 (GPU: 8192) matrix product in the same dtype, timed in '
        'the same rounds; operations are counted on the meta device. Differences are relative to the '
        'largest value.'
    )
    return stage


def _batches(size: str, settings: Settings) -> tuple[int, ...]:
    if settings.batches:
        return settings.batches
    if settings.quick:
        return (2,)
    if settings.on_gpu:
        return (1, 4, 16, 64)
    return (1, 16) if size == 'tiny' else (1,)


def _measure(size: str, batch: int, model: nn.Module, settings: Settings) -> Comparison:
    """All ways of a size and batch size."""
    height, width = input_size(size, settings.quick)
    images = torch.randn(batch, 3, height, width, device=settings.device)
    counted = encoder(size, settings, 'meta')
    flops = count_flops(lambda: counted(torch.empty(batch, 3, height, width, device='meta')))
    ways, dtypes = {}, {}
    if not is_second(size):
        ways[_BASELINE], dtypes[_BASELINE] = _forward(without_sdpa(model), images), 'float32'
    for dtype in ('float32', 'bfloat16'):
        lower = lowered(model, dtype, settings)
        models = {'this encoder': lower}
        if settings.compile_mode:
            models[f'compiled, {settings.compile_mode}'] = torch.compile(
                lower, mode=settings.compile_mode
            )
        for label, way in models.items():
            name = f'{label}, {dtype}'
            ways[name], dtypes[name] = _forward(way, images), dtype
    return compare(
        f'encoder {size}, {height} x {width}, batch {batch}',
        ways,
        settings,
        baseline=next(iter(ways)),
        unit='image',
        items=batch,
        dtype=dtypes,
        rounds=None if settings.on_gpu or size == 'tiny' else 2,
        flops=flops,
        memory=True,
        difference=relative_difference,
        tolerance={name: _TOLERANCE[dtype] for name, dtype in dtypes.items()},
    )


def _forward(model: Any, images: Tensor) -> Callable[[], Tensor]:
    @torch.inference_mode()
    def forward() -> Tensor:
        return model(images)[0].float()

    return forward


def measure_attention(settings: Settings) -> Comparison:
    """Attention of the 2b encoder alone, whose heads are 60 wide: not a multiple of 8.

    Fused kernels pad such heads, or refuse them; on a GPU each backend is timed. Padding with zeros
    before the call changes nothing but the width.
    """
    arch = resolve_arch('2b')
    heads, tokens = (2, 48) if settings.quick else (arch['num_heads'], 64 * 48)
    width = arch['embed_dims'] // arch['num_heads']
    dtype = 'bfloat16'
    q, k, v = torch.randn(3, 1, heads, tokens, width, device=settings.device).bfloat16()
    padded = -width % 8
    attention = F.scaled_dot_product_attention

    def plain() -> Tensor:
        return ((q * width**-0.5) @ k.transpose(-2, -1)).softmax(dim=-1) @ v

    def aligned() -> Tensor:
        wide = (F.pad(x, (0, padded)) for x in (q, k, v))
        return attention(*wide, scale=width**-0.5)[..., :width]

    ways: dict[str, Callable[[], Tensor]] = {
        'without SDPA': plain,
        'SDPA, its own choice': lambda: attention(q, k, v),
        f'SDPA, heads padded to {width + padded}': aligned,
        "this encoder's": lambda: attend(q, k, v),
    }
    if settings.on_gpu:
        from torch.nn.attention import SDPBackend, sdpa_kernel

        for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
            ways[f'SDPA, {backend.name.lower()}'] = sdpa_kernel(backend)(
                ways['SDPA, its own choice']
            )
        # cuDNN takes multiples of 8 only.
        ways['SDPA, cudnn, padded'] = sdpa_kernel(SDPBackend.CUDNN_ATTENTION)(aligned)
    with torch.inference_mode():
        return compare(
            f'attention of 2b, {heads} heads of {width}, {tokens} tokens',
            ways,
            settings,
            baseline='without SDPA',
            unit='image',
            items=1,
            dtype=dtype,
            rounds=None if settings.on_gpu else 3,
            flops=4 * heads * tokens**2 * width,
            memory=True,
            difference=relative_difference,
            tolerance=0.05,
        )
