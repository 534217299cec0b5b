# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The parts of the benchmark: timings in turns, memory, operation counts, reports."""

import json
import time

import numpy as np
import pytest
import torch
from benchmarks.harness import (
    Case,
    Comparison,
    Report,
    Settings,
    Stage,
    Target,
    Timing,
    compare,
    count_flops,
    describe_machine,
    describe_versions,
    peak_memory,
    time_interleaved,
)
from benchmarks.harness.report import duration, markdown
from torch import nn

QUICK = Settings(quick=True)
CPU = torch.device('cpu')


def test_ways_take_turns():
    seen = []
    # Longer than a sample has to be, so that each is called once a turn.
    ways = {name: lambda name=name: (seen.append(name), time.sleep(0.006)) for name in 'abc'}
    timings = time_interleaved(ways, rounds=4, device=CPU)
    # Every round holds each once, beginning with the next one.
    assert ''.join(seen) == 'abcbcacababc'
    assert all(timing.repeats == 4 for timing in timings.values())


def test_short_jobs_are_called_often_enough():
    calls = []
    timing = time_interleaved({'short': lambda: calls.append(1)}, rounds=1, device=CPU)['short']
    assert len(calls) > 100
    assert 0 < timing.median < 1e-3


def test_timing_summary():
    timing = Timing.of([4.0, 1.0, 2.0, 3.0, 5.0])
    assert (timing.median, timing.iqr, timing.repeats) == (3.0, 2.0, 5)


def test_peak_memory_counts_what_is_held_at_once():
    size = 64 << 20

    def job():
        first = np.ones(size, np.uint8)
        second = first + first
        return second[:1].copy()

    peak, result = peak_memory(job, CPU)
    if peak is None:
        pytest.skip('this system does not tell')
    assert 1.9 * size < peak < 2.6 * size
    assert result[0] == 2


def test_flops_of_layers_and_attention():
    with torch.device('meta'):
        linear = nn.Linear(6, 10)
        x = torch.empty(4, 6)
        q = torch.empty(2, 3, 5, 8)
    assert count_flops(lambda: linear(x)) == 2 * 4 * 6 * 10
    attention = nn.functional.scaled_dot_product_attention
    # Two matrix products of 5 x 8 x 5 for each of 2 images and 3 heads.
    assert count_flops(lambda: attention(q, q, q)) == 2 * 2 * (2 * 3 * 5 * 8 * 5)


def test_compare_against_a_baseline():
    a = torch.randn(64, 64)
    found = compare(
        'product',
        {'slow': lambda: sum(a[:, [i]] @ a[[i]] for i in range(64)), 'fast': lambda: a @ a},
        QUICK,
        baseline='slow',
        unit='matrix',
        items=2,
        flops=2 * 64**3,
        memory=True,
        difference=lambda x, y: (x - y).abs().max().item(),
        tolerance=1e-3,
    )
    slow, fast = found['slow'], found['fast']
    assert slow.speedup is None and slow.difference is None
    assert fast.speedup == pytest.approx(slow.seconds.median / fast.seconds.median)
    assert fast.difference < 1e-3 and not found.disagreements()
    assert fast.per_item == fast.seconds.median / 2
    assert fast.flops_per_second == pytest.approx(2 * 64**3 / fast.seconds.median)
    assert fast.peak_share > 0


def test_a_way_named_like_its_dtype_is_timed_itself():
    calls = []
    compare('count', {'float32': lambda: calls.append(1)}, QUICK, unit='call', items=1, flops=1)
    assert len(calls) > 1  # the first call is not timed


def test_a_wrong_result_is_reported():
    found = compare(
        'sum',
        {'right': lambda: 1.0, 'wrong': lambda: 2.0, 'not a number': lambda: float('nan')},
        QUICK,
        baseline='right',
        unit='sum',
        items=1,
        difference=lambda x, y: abs(x - y),
        tolerance=0.5,
    )
    lines = found.disagreements()
    assert len(lines) == 2
    assert lines[0] == 'sum: wrong differs from right by 1, more than 0.5'


def test_an_unknown_baseline_is_refused():
    with pytest.raises(ValueError, match=r"baseline 'b' is not one of the ways \['a'\]"):
        compare('job', {'a': int}, QUICK, baseline='b', unit='x', items=1)


@pytest.mark.parametrize(
    ('measured', 'wanted', 'at_most', 'met', 'ratio'),
    [(10.0, 5.0, False, True, 2.0), (4.0, 5.0, False, False, 0.8), (1.0, 3.0, True, True, 3.0)],
)
def test_targets(measured, wanted, at_most, met, ratio):
    target = Target('figure', wanted, measured, at_most)
    assert target.met is met
    assert target.ratio == pytest.approx(ratio)


def test_report_as_json_and_markdown():
    timing = Timing(0.002, 0.0001, 7)
    comparison = Comparison('job', 'old', 'image', 4, cases=[Case('old', 'float32', timing, 5e-4)])
    stage = Stage('encoder', 'About.', [comparison], [Target('rate', 5.0, 10.0)], {'bytes': 12})
    report = Report(describe_machine(CPU), describe_versions(), {}, '2026-01-01', stages=[stage])
    content = json.loads(json.dumps(report.to_dict()))
    assert content['format'] == 1
    assert content['stages'][0]['targets'][0]['met'] is True
    assert content['stages'][0]['comparisons'][0]['cases'][0]['seconds']['median'] == 0.002
    assert content['machine']['cores'] >= 1 and content['versions']['torch']
    text = markdown(stage)
    assert '| old | float32 | 2 ms | 100 us | 7 | 500 us |' in text
    assert '| rate | >= 5 | 10 | yes (2 x) |' in text
    assert '- bytes: 12' in text


@pytest.mark.parametrize(
    ('seconds', 'text'), [(5e-7, '0.5 us'), (0.0123, '12.3 ms'), (1.5, '1.5 s'), (100.4, '100 s')]
)
def test_duration(seconds, text):
    assert duration(seconds) == text
