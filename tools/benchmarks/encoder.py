# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The encoder alone."""

import gc
from collections.abc import Callable

import torch
from torch import Tensor, nn

from sapiens_common.benchmark import Comparison, Settings, Stage, Target, compare, count_flops

from .models import autocast, encoder, input_size, without_sdpa

_BASELINE = 'float32, attention without SDPA'


def run(settings: Settings) -> Stage:
    """Time every size in float32 and bfloat16, eager and compiled, against plain attention."""
    stage = Stage('encoder', 'Images to feature maps, random weights, evaluation mode.')
    sizes = settings.sizes or (('0.3b', '0.6b', '1b', '2b') if settings.on_gpu else ('tiny', '0.3b'))
    for size in ('tiny',) if settings.quick else sizes:
        model = encoder(size, settings)
        for batch in _batches(size, settings):
            stage.comparisons += _measure(size, batch, model, settings)
            stage.targets += _targets(size, batch, stage.comparisons[-1], settings)
        del model
        gc.collect()
    stage.notes.append(
        '"of peak" is the share of a 2048 x 2048 (GPU: 8192) matrix product in the same dtype, timed in '
        'the same rounds; operations are counted on the meta device. Differences are relative to the '
        'largest feature.'
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


def _measure(size: str, batch: int, model: nn.Module, settings: Settings) -> list[Comparison]:
    """One comparison per dtype."""
    height, width = input_size(size, settings.quick)
    images = torch.randn(batch, 3, height, width, device=settings.device)
    counted = encoder(size, settings, 'meta')
    flops = count_flops(lambda: counted(torch.empty(batch, 3, height, width, device='meta')))
    plain = without_sdpa(model)
    found = []
    for dtype, tolerance in (('float32', 1e-4), ('bfloat16', 0.1)):
        ways = {_BASELINE: _forward(plain, images, 'float32', settings)}
        ways[f'{dtype}, eager'] = _forward(model, images, dtype, settings)
        if settings.compiled:
            compiled = torch.compile(model)
            ways[f'{dtype}, compiled'] = _forward(compiled, images, dtype, settings)
        found.append(
            compare(
                f'encoder {size}, {height} x {width}',
                ways,
                settings,
                baseline=_BASELINE,
                unit='image',
                items=batch,
                dtype=dtype,
                rounds=None if settings.on_gpu or size == 'tiny' else 3,
                flops=flops,
                memory=True,
                difference=lambda a, b: ((a - b).abs().max() / b.abs().max()).item(),
                tolerance=tolerance,
            )
        )
    return found


def _forward(
    model: nn.Module, images: Tensor, dtype: str, settings: Settings
) -> Callable[[], Tensor]:
    @torch.inference_mode()
    def forward() -> Tensor:
        with autocast(settings, dtype):
            return model(images)[0].float()

    return forward


def _targets(size: str, batch: int, found: Comparison, settings: Settings) -> list[Target]:
    """Design: 60 % of the bf16 matrix product peak at 1024 x 768 on a GPU."""
    if not settings.on_gpu or size == 'tiny':
        return []
    best = max(case.peak_share for case in found.cases if case.name != _BASELINE)
    return [Target(f'{size}, batch {batch}: share of the bf16 peak', 0.6, best)]
