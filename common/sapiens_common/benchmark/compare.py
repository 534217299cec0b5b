# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Hold ways of doing one job against each other."""

from collections.abc import Callable
from typing import Any

import torch

from .counting import MatmulPeak
from .measure import Job, peak_memory, time_interleaved
from .report import Case, Comparison
from .settings import Settings

_PEAK = 'matrix product'


def compare(
    job: str,
    ways: dict[str, Job],
    settings: Settings,
    *,
    baseline: str | None = None,
    unit: str,
    items: int,
    dtype: str = 'float32',
    rounds: int | None = None,
    flops: int | None = None,
    memory: bool = False,
    difference: Callable[[Any, Any], float] | None = None,
    tolerance: float = 0.0,
) -> Comparison:
    """Run every way once, compare the results, and time all of them in turns.

    Args:
        job: What is done, for the report.
        ways: Callables that do it, by name.
        settings: Of the run.
        baseline: The way that the others are held against.
        unit: What an item is.
        items: Items per call.
        dtype: Of the computation; with ``flops``, a matrix product in it is timed in the same rounds.
        rounds: At most so many rounds; None takes what the settings say.
        flops: Operations of a call.
        memory: Whether the peak memory is measured too, in a call of its own.
        difference: Largest difference of two results (of a way, of the baseline).
        tolerance: Largest difference that counts as the same.

    Raises:
        ValueError: The baseline is none of the ways.
    """
    if baseline is not None and baseline not in ways:
        raise ValueError(f'baseline {baseline!r} is none of the ways {list(ways)}')
    device = settings.torch_device
    found = Comparison(
        job, baseline, unit, items, dtype, tolerance if difference else None, flops
    )
    peaks: dict[str, int | None] = {}
    results: dict[str, Any] = {}
    for name, way in ways.items():
        if memory:
            way()  # what a first call allocates for good is not the job's
            peaks[name], result = peak_memory(way, device)
        else:
            peaks[name], result = None, way()
        results[name] = result if difference else None
        del result
    differences = {
        name: difference(results[name], results[baseline])
        for name in ways
        if difference and baseline is not None and name != baseline
    }
    results.clear()
    timed = dict(ways)
    product = None
    if flops:
        product = MatmulPeak(device, getattr(torch, dtype), settings.quick)
        product()
        timed[_PEAK] = product
    timings = time_interleaved(timed, settings.rounds(rounds), device)
    peak_speed = product.flops / timings[_PEAK].median if product else None
    for name in ways:
        seconds = timings[name]
        speed = flops / seconds.median if flops else None
        found.cases.append(
            Case(
                name=name,
                seconds=seconds,
                per_item=seconds.median / items,
                speedup=timings[baseline].median / seconds.median
                if baseline is not None and name != baseline
                else None,
                peak_bytes=peaks[name],
                flops_per_second=speed,
                peak_share=speed / peak_speed if speed and peak_speed else None,
                difference=differences.get(name),
            )
        )
    return found

