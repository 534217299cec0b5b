# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Importing a package, or asking a tool for help, loads nothing that is not used."""

import os
import subprocess
import sys

import pytest

REPORT = 'import sys; print("loaded", *{name.split(".")[0] for name in sys.modules})'
HEAVY = {
    'albumentations', 'cv2', 'embreex', 'matplotlib', 'mmcv', 'mmdet', 'mmpose', 'mmpretrain', 'mmseg', 'scipy',
    'torchvision', 'transformers', 'trimesh', 'xtcocotools',
}  # fmt: skip
HELP = """
import runpy, sys
sys.argv = ['tool', '--help']
try:
    runpy.run_path(sys.path.pop(0), run_name='__main__')
except SystemExit:
    pass
"""


def loaded(root, code):
    """Top-level modules in memory after running the code in a new process."""
    folders = [root / 'tools', *(path.parent for path in root.glob('*/sapiens_*'))]
    run = subprocess.run(
        [sys.executable, '-c', f'{code}\n{REPORT}'],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.rsplit('loaded ', 1)[1].split())


def test_task_packages_load_no_upstream_task_library(root):
    names = 'sapiens_pose, sapiens_seg, sapiens_depth_normal, sapiens_pretrain, sapiens_det'
    found = loaded(root, f'import {names}')
    assert 'sapiens_pose' in found
    assert not found & HEAVY


@pytest.mark.parametrize('tool', ['demo.py', 'benchmark.py'])
def test_help_loads_no_library_at_all(root, tool):
    file = root / 'tools' / tool
    found = loaded(root, f'import sys; sys.path.insert(0, {str(file)!r})\n{HELP}')
    assert not found & {*HEAVY, 'torch', 'mmengine', 'numpy'}
