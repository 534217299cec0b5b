# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Measuring: interleaved timings, memory, operation counts and their report."""

from benchmarks.harness.compare import compare, relative_difference
from benchmarks.harness.counting import count_flops
from benchmarks.harness.machine import describe_machine, describe_versions
from benchmarks.harness.measure import Timing, peak_memory, time_interleaved
from benchmarks.harness.report import Case, Comparison, Report, Stage, Target
from benchmarks.harness.settings import Settings

__all__ = [
    'Case',
    'Comparison',
    'Report',
    'Settings',
    'Stage',
    'Target',
    'Timing',
    'compare',
    'count_flops',
    'describe_machine',
    'describe_versions',
    'peak_memory',
    'relative_difference',
    'time_interleaved',
]
