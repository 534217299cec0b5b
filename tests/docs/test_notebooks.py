# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The notebooks of the site run from start to end on the CPU."""

import os
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / 'docs/notebooks').glob('*.ipynb'))


@pytest.mark.slow
@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip('nbformat')
    nbclient = pytest.importorskip('nbclient')
    pytest.importorskip('ipykernel')
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(sys.path))
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    notebook = nbformat.read(path, as_version=4)
    assert any(cell.get('outputs') for cell in notebook.cells)  # the site shows what came out
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={'metadata': {'path': tmp_path}}
    )
    client.execute()  # raises at the first cell that fails


def test_there_are_two():
    assert len(NOTEBOOKS) == 2
