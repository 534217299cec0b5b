# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Time and memory of a callable."""

import ctypes
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

Job = Callable[[], Any]
# A sample shorter than this is made of several calls, so that the clock's grain does not matter.
_SHORTEST = 5e-3
_STATUS = Path('/proc/self/status')
_CLEAR_REFS = Path('/proc/self/clear_refs')


@dataclass(frozen=True)
class Timing:
    """Seconds per call over all rounds.

    Attributes:
        median: Median.
        iqr: Distance between the quartiles.
        repeats: Number of rounds.
    """

    median: float
    iqr: float
    repeats: int

    @classmethod
    def of(cls, seconds: list[float]) -> 'Timing':
        """Summary of measured seconds."""
        low, median, high = np.percentile(seconds, [25, 50, 75]).tolist()
        return cls(median, high - low, len(seconds))


def synchronize(device: torch.device) -> None:
    """Wait until the device has done its work."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def time_interleaved(jobs: dict[str, Job], rounds: int, device: torch.device) -> dict[str, Timing]:
    """Time several ways of doing the same, one call of each in turn.

    All of them see the same machine: what else runs there, its clock and its temperature. The order
    turns by one every round. Every job is expected to have run once before.

    Args:
        jobs: The ways, by name.
        rounds: How often each is timed.
        device: Where they work.

    Returns:
        Timing of each, in seconds per call.
    """
    names = list(jobs)
    calls = dict.fromkeys(names, 1)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in [*names[turn % len(names) :], *names[: turn % len(names)]]:
            once = _seconds(jobs[name], calls[name], device)
            if not seconds[name] and once < _SHORTEST:
                calls[name] = round(_SHORTEST / max(once, 1e-6)) + 1
                once = _seconds(jobs[name], calls[name], device)
            seconds[name].append(once)
    return {name: Timing.of(values) for name, values in seconds.items()}


def _seconds(job: Job, calls: int, device: torch.device) -> float:
    """Seconds per call, the device's work included."""
    synchronize(device)
    start = time.perf_counter()
    for _ in range(calls):
        job()
    synchronize(device)
    return (time.perf_counter() - start) / calls


def peak_memory(job: Job, device: torch.device) -> tuple[int | None, Any]:
    """Bytes a call needs at its peak beyond what was held before it, and its result.

    On a GPU they are those of torch's allocator. On a CPU they are resident memory, whose high-water
    mark Linux lets a process reset; None elsewhere.
    """
    gc.collect()
    if device.type == 'cuda':
        synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        result = job()
        synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before, result
    if not _CLEAR_REFS.exists():
        return None, job()
    # Free blocks that the allocator keeps would be used without showing up.
    ctypes.CDLL(None).malloc_trim(0)
    before = _status('VmRSS')
    try:
        _CLEAR_REFS.write_text('5')
    except OSError:
        return None, job()
    result = job()
    return max(0, _status('VmHWM') - before), result


def _status(key: str) -> int:
    """Bytes of an entry of Linux's process status."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f'{key}:'):
            return int(line.split()[1]) * 1024
    raise ValueError(f'{_STATUS} has no {key}')
