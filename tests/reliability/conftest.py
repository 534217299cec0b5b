# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@pytest.fixture
def read_only():
    """`with read_only() as folder`: a folder in which this process may read but not write.

    The system administrator may write anywhere, so for the block the process is somebody else.
    """

    @contextmanager
    def make():
        with tempfile.TemporaryDirectory() as name:
            os.chmod(name, 0o555)
            administrator = os.geteuid() == 0
            if administrator:
                os.seteuid(NOBODY)
            try:
                yield Path(name)
            finally:
                if administrator:
                    os.seteuid(0)
                os.chmod(name, 0o755)

    return make


@pytest.fixture
def full_disk():
    """`with full_disk(size)`: no file can grow beyond some bytes; the system itself refuses the write."""
    resource = pytest.importorskip('resource')

    @contextmanager
    def limit(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit
