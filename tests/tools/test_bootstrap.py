# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import ctypes
import subprocess
import sys

import pytest

ROUNDS = """
import resource, sys
if sys.argv[1:]:
    sys.path.insert(0, sys.argv[1])
    import _bootstrap
import numpy as np

def cleared():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    kept = [np.ones(2**21) for _ in range(8)]  # 16 MiB each, all freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first, *later = [cleared() for _ in range(5)]
print(first, max(later))
"""


@pytest.mark.skipif(
    sys.platform != 'linux' or not hasattr(ctypes.CDLL(None), 'mallopt'), reason='no glibc'
)
def test_tools_keep_the_memory_of_the_last_step(root):
    def pages(*arguments):
        command = [sys.executable, '-c', ROUNDS, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return [int(count) for count in done.stdout.split()]

    first, later = pages()
    assert later > first / 2  # as glibc has it
    first, later = pages(str(root / 'tools'))
    assert later < first / 10
