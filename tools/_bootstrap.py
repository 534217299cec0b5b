# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What every tool starts with: the task folders of a source tree on the path, and quick memory."""

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# None in an installed suite, whose packages are found anyway.
_paths = sorted(str(package.parents[1]) for package in ROOT.glob('*/sapiens_*/__init__.py'))
sys.path[:0] = [path for path in _paths if path not in sys.path]
# Spawned loader workers and torchrun's children read the variable instead.
_inherited = os.environ.get('PYTHONPATH')
os.environ['PYTHONPATH'] = os.pathsep.join([*_paths, *([_inherited] if _inherited else [])])
# albumentations asks a web server for news at every import otherwise.
os.environ.setdefault('NO_ALBUMENTATIONS_UPDATE', '1')

if sys.platform == 'linux' and hasattr(ctypes.CDLL(None), 'mallopt'):  # glibc
    # Freed tensors go back to the system otherwise, which clears every page anew at the next step: a tenth of the
    # processor time of training `tiny`, a fifth of inference. Numbers as in malloc.h.
    M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 32 * 2**20)  # the most it takes
    ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, 2**30)


def run(main: Callable[[], int | None]) -> None:
    """Run a tool and exit with its code; wrong input ends it with its message, without a traceback."""
    try:
        code = main()
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f'error: {error}')
    if code is not None:
        sys.exit(code)
