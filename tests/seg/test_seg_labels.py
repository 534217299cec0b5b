# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Labels at the original size: equal to argmax over resized logits, in a fraction of the memory."""

import pytest
import torch
import torch.nn.functional as F
from old_torch import VERSION
from torch.profiler import ProfilerActivity, profile

from sapiens_seg.models.labels import labels_at_size


def naive(logits, sizes, align_corners=False):
    logits = logits[None]
    for size in sizes:
        logits = F.interpolate(logits, size, mode='bilinear', align_corners=align_corners)
    return logits[0].argmax(0)


def peak_bytes(function):
    """Most bytes of CPU tensors alive at a time while a function runs."""
    kept = {'acc_events': True} if VERSION >= (2, 6) else {}  # older ones do not ask for it
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, **kept) as profiler:
        function()
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == '[memory]']
    total = peak = 0
    start = 'start_ns' if VERSION >= (2, 4) else 'start_us'
    for event in sorted(events, key=lambda event: getattr(event, start)()):
        total += event.nbytes()
        peak = max(peak, total)
    return peak


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize(
    ('shape', 'sizes'),
    [
        ((28, 32, 24), [(64, 48), (517, 389)]),  # odd, up
        ((28, 128, 96), [(256, 192), (101, 67)]),  # odd, down
        ((20, 16, 12), [(1, 1)]),
        ((28, 64, 48), [(512, 384), (31, 29)]),  # a photo smaller than the input
        ((19, 5, 7), [(7, 501)]),  # one way up
        ((3, 64, 48), [(64, 48)]),  # unchanged
        ((256, 4, 3), [(33, 31)]),
        ((1, 4, 3), [(9, 9)]),
    ],
)
def test_equal_to_the_naive_way(shape, sizes, align_corners):
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    labels = labels_at_size(logits, sizes, align_corners)
    assert labels.dtype == torch.uint8
    assert torch.equal(labels.long(), naive(logits, sizes, align_corners))


@pytest.mark.parametrize('size', [(61, 47), (301, 277)])
def test_ties_go_to_the_lowest_class(size):
    logits = torch.randint(0, 2, (28, 16, 12)).float()
    sizes = [(32, 24), size]
    assert torch.equal(labels_at_size(logits, sizes).long(), naive(logits, sizes))


def test_half_precision_equals_its_own_naive_way():
    logits = torch.randn(28, 16, 12).bfloat16()
    sizes = [(32, 24), (301, 277)]
    assert torch.equal(labels_at_size(logits, sizes).long(), naive(logits, sizes))


def test_memory_at_a_large_photo():
    """4096 x 3072 as the model makes it: logits at half of the input, the input, the photo."""
    logits = torch.randn(28, 512, 384)
    peak = peak_bytes(lambda: labels_at_size(logits, [(1024, 768), (4096, 3072)]))
    all_logits = 28 * 4096 * 3072 * 4
    assert peak < all_logits / 8


def test_the_measure_sees_the_naive_way():
    logits = torch.randn(28, 64, 48)
    peak = peak_bytes(lambda: naive(logits, [(256, 192)]))
    assert peak >= 28 * 256 * 192 * 4


@pytest.mark.parametrize('shape', [(1, 28, 4, 3), (4, 3), (257, 2, 2)])
def test_wrong_logits_are_refused(shape):
    with pytest.raises(ValueError, match=r'expected logits \(C, h, w\) with C <= 256'):
        labels_at_size(torch.zeros(shape), [(8, 8)])
