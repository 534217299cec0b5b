# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Every stage of tools/benchmark.py runs, says what it must, and agrees with its baseline."""

import json

import pytest
from benchmark import main
from benchmarks import SINGLE, STAGES

CASE_KEYS = {
    'name', 'dtype', 'seconds', 'per_item', 'speedup', 'peak_bytes', 'flops_per_second', 'peak_share',
    'difference', 'tolerance',
}  # fmt: skip


@pytest.mark.parametrize(
    'stage', [*STAGES, *(pytest.param(name, marks=pytest.mark.slow) for name in SINGLE)]
)
def test_stage(stage, tmp_path, capsys):
    file = tmp_path / 'figures.json'
    # 1 would say that a result differs from its baseline's.
    assert main([stage, '--quick', '--json', str(file)]) == 0
    content = json.loads(file.read_text())
    assert set(content) == {
        'format', 'machine', 'versions', 'settings', 'date', 'load', 'stages',
    }  # fmt: skip
    [found] = content['stages']
    assert found['name'] == stage and found['about'] and found['seconds'] > 0
    jobs = [comparison['job'] for comparison in found['comparisons']]
    assert jobs and len(set(jobs)) == len(jobs), jobs
    for comparison in found['comparisons']:
        names = [case['name'] for case in comparison['cases']]
        assert comparison['baseline'] in names and len(names) >= 2
        for case in comparison['cases']:
            assert set(case) == CASE_KEYS
            assert case['seconds']['repeats'] == 2 and case['seconds']['median'] > 0
            assert (case['speedup'] is None) == (case['name'] == comparison['baseline'])
            if comparison['flops']:
                assert case['peak_share'] > 0
    if stage in (
        'targets',
        'decode',
        'seglabels',
        'encoder',
        'inference',
        'train',
        'render',
        'cpu',
    ):
        differences = [
            case['difference'] for entry in found['comparisons'] for case in entry['cases']
        ]
        assert any(value is not None for value in differences)
    printed = capsys.readouterr().out
    assert f'## {stage}' in printed and '| way | dtype | median |' in printed


def test_usage_names_every_stage(capsys):
    with pytest.raises(SystemExit):
        main(['--help'])
    text = capsys.readouterr().out
    assert all(stage in text for stage in (*STAGES, *SINGLE, 'all'))
