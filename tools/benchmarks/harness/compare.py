# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Hold ways of doing one job against each other."""

import time
from collections.abc import Callable
from typing import Any

import torch
from benchmarks.harness.counting import MatmulPeak
from benchmarks.harness.measure import Job, peak_memory, time_interleaved
from benchmarks.harness.report import Case, Comparison
from benchmarks.harness.settings import Settings

# A call shorter than this is repeated before its memory is measured, so that what a first call
# allocates for good does not count.
_SHORT = 2.0

_PRODUCT = 'matrix product in {}'


def compare(
    job: str,
    ways: dict[str, Job],
    settings: Settings,
    *,
    baseline: str | None = None,
    unit: str,
    items: int,
    dtype: str | dict[str, str] = 'float32',
    rounds: int | None = None,
    flops: int | None = None,
    memory: bool = False,
    difference: Callable[[Any, Any], float | None] | None = None,
    tolerance: float | dict[str, float] = 0.0,
) -> Comparison:
    """Run every way once, compare the results, and time all of them in turns.

    Args:
        job: What is done, for the report.
        ways: Callables that do it, by name.
        settings: Settings of the run.
        baseline: The way that the others are held against.
        unit: What an item is.
        items: Items per call.
        dtype: Precision of the computation, of all ways or by way; with ``flops``, a matrix product in it is timed in
            the same rounds.
        rounds: At most so many rounds; None takes what the settings say.
        flops: Operations of a call.
        memory: Whether the peak memory is measured too, in a call of its own.
        difference: Largest difference of two results (of a way, of the baseline), None for a pair that is
            not to be compared.
        tolerance: Largest difference that counts as the same, of all ways or by way.

    Raises:
        ValueError: The baseline is not one of the ways.
    """
    if baseline is not None and baseline not in ways:
        raise ValueError(f'baseline {baseline!r} is not one of the ways {list(ways)}')
    device = settings.torch_device
    dtypes = dtype if isinstance(dtype, dict) else dict.fromkeys(ways, dtype)
    tolerances = tolerance if isinstance(tolerance, dict) else dict.fromkeys(ways, tolerance)
    peaks: dict[str, int | None] = {}
    results: dict[str, Any] = {}
    for name, way in ways.items():
        peaks[name], result = _first_call(way, device, memory)
        results[name] = result if difference else None
        del result
    differences = {
        name: difference(results[name], results[baseline])
        for name in ways
        if difference and baseline is not None and name != baseline
    }
    results.clear()
    products = (
        {kind: MatmulPeak(device, getattr(torch, kind), settings.quick) for kind in dtypes.values()}
        if flops
        else {}
    )
    for product in products.values():
        product()
    # Not by the name of the dtype alone: a way may be called that.
    jobs: dict[str, Job] = {_PRODUCT.format(kind): product for kind, product in products.items()}
    timings = time_interleaved({**ways, **jobs}, settings.rounds(rounds), device)
    found = Comparison(job, baseline, unit, items, flops)
    for name in ways:
        seconds, kind = timings[name], dtypes[name]
        speed = flops / seconds.median if flops else None
        found.cases.append(
            Case(
                name=name,
                dtype=kind,
                seconds=seconds,
                per_item=seconds.median / items,
                speedup=timings[baseline].median / seconds.median
                if baseline is not None and name != baseline
                else None,
                peak_bytes=peaks[name],
                flops_per_second=speed,
                peak_share=speed * timings[_PRODUCT.format(kind)].median / products[kind].flops
                if speed
                else None,
                difference=differences.get(name),
                tolerance=None if differences.get(name) is None else tolerances[name],
            )
        )
    return found


def _first_call(way: Job, device: torch.device, memory: bool) -> tuple[int | None, Any]:
    """Peak memory (None if not wanted) and result of a way."""
    if not memory:
        return None, way()
    start = time.perf_counter()
    peak, result = peak_memory(way, device)
    if time.perf_counter() - start < _SHORT:
        del result
        peak, result = peak_memory(way, device)
    return peak, result


def relative_difference(found: torch.Tensor, expected: torch.Tensor) -> float | None:
    """Largest difference, relative to the largest value; None for tensors of different shapes."""
    if found.shape != expected.shape:
        return None
    return ((found - expected).abs().max() / expected.abs().max()).item()
