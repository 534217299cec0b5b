# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Class ids at the size of the photo."""

import torch
import torch.nn.functional as F
from benchmarks.harness import Settings, Stage, Target, compare
from torch import Tensor

from sapiens_seg.models.labels import labels_at_size

_NAIVE = 'all logits resized (mmseg)'
_OURS = 'a class at a time'


def run(settings: Settings) -> Stage:
    """Time and weigh the labels of a large photo against resizing all logits first."""
    logits_size, input_size, photo = (512, 384), (1024, 768), (4096, 3072)
    if settings.quick:
        logits_size, input_size, photo = (32, 24), (64, 48), (181, 133)
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, 28, 32, 24, generator=generator)  # regions, as a trained model gives
    logits = F.interpolate(4 * coarse, logits_size, mode='bicubic')[0]
    logits = (logits + 0.1 * torch.randn(logits.shape, generator=generator)).to(settings.device)

    def naive() -> Tensor:
        resized = F.interpolate(logits[None], input_size, mode='bilinear')
        return F.interpolate(resized, photo, mode='bilinear')[0].argmax(dim=0)

    def ours() -> Tensor:
        return labels_at_size(logits, [input_size, photo])

    comparison = compare(
        f'28 classes from {logits_size} to {photo}',
        {_NAIVE: naive, _OURS: ours},
        settings,
        baseline=_NAIVE,
        unit='photo',
        items=1,
        rounds=5,
        memory=True,
        difference=lambda a, b: (a != b).sum().item(),
    )
    stage = Stage(
        'seglabels',
        'Labels at the size of the photo. The difference counts pixels with another label.',
        [comparison],
    )
    naive_peak, our_peak = comparison[_NAIVE].peak_bytes, comparison[_OURS].peak_bytes
    if naive_peak and our_peak:
        share = our_peak / naive_peak
        stage.targets.append(Target('peak memory, share of the naive way', 1 / 8, share, True))
    return stage
