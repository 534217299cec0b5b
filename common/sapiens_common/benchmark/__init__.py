# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Measuring: interleaved timings, memory, operation counts and their report."""

from .compare import compare
from .counting import count_flops
from .machine import describe_machine, describe_versions
from .measure import Timing, peak_memory, time_interleaved
from .report import Case, Comparison, Report, Stage, Target
from .settings import Settings

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
    'time_interleaved',
]
