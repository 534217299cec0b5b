# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What waits for a GPU runs on the CPU, for both generations."""

import json

import pytest
from benchmark import main
from benchmarks.models import recipe

from sapiens_pretrain.models.sapiens2 import SAPIENS2_ZOO
from sapiens_pretrain.models.vit import ARCH_ZOO


def test_the_most_expensive_kernels(tmp_path, run_tool):
    options = ('--sizes', 'sapiens2_tiny', '--quick', '--batch', 1, '--trace', tmp_path)
    text = run_tool('tools/benchmarks/kernels.py', *options)
    for name in ('inference', 'training'):
        assert f'**sapiens2_tiny, {name}, batch 1**' in text
        assert json.loads((tmp_path / f'sapiens2_tiny_{name}.json').read_text())['traceEvents']
    rows = [line.split('|') for line in text.splitlines() if line.endswith('% |')]
    assert len(rows) == 20 and any('mm' in row[1] for row in rows)
    shares = [float(row[4].strip(' %')) for row in rows[:10]]
    assert shares == sorted(shares, reverse=True) and sum(shares) <= 100


def test_stages_take_sizes_of_the_second_generation(tmp_path):
    file = tmp_path / 'figures.json'
    assert main(['encoder', '--quick', '--sizes', 'sapiens2_tiny', '--json', str(file)]) == 0
    [stage] = json.loads(file.read_text())['stages']
    cases = stage['comparisons'][0]['cases']
    assert [case['name'] for case in cases] == ['this encoder, float32', 'this encoder, bfloat16']


@pytest.mark.parametrize('size', [*ARCH_ZOO, *(f'sapiens2_{size}' for size in SAPIENS2_ZOO)])
def test_every_size_has_a_recipe_of_pose(size):
    found = recipe('pose', size)
    if size == 'sapiens2_0.1b':  # published without heads
        assert found is None
    else:
        name = size if size.startswith('sapiens2_') else f'sapiens_{size}'
        assert found.name.startswith(f'{name}_')
