# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The watch over long runs sees what grows, and passes what does not."""

import importlib.util
import os

import pytest

pytest.importorskip('psutil')


@pytest.fixture
def soak(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / 'tools'))
    spec = importlib.util.spec_from_file_location('soak', root / 'tools/soak.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ('rows', 'verdict'),
    [
        ([(900, 20, 5)] * 6, 0),
        ([(300, 9, 0), (600, 20, 9), (900, 20, 9), (905, 21, 9)], 0),  # warm-up does not count
        ([(900 + 40 * i, 20, 5) for i in range(6)], 1),
        ([(900, 20 + 5 * i, 5) for i in range(6)], 1),
        ([(900, 20, 10 * i) for i in range(6)], 1),
    ],
)
def test_verdict(soak, rows, verdict, capsys):
    watch = soak.Watch(6, 6)
    watch.rows = rows
    assert watch.verdict() == verdict
    assert 'over the second half, allowed' in capsys.readouterr().out


def test_a_leak_of_files_is_seen(soak, capsys):
    watch, leaked = soak.Watch(40, 10), []
    for number in range(1, 41):
        leaked.append(os.open(os.devnull, os.O_RDONLY))
        watch.step(number)
    for handle in leaked:
        os.close(handle)
    assert len(watch.rows) == 10
    assert watch.verdict() == 1
    assert 'open files: +16' in capsys.readouterr().out
