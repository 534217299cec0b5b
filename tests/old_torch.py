# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What tests skip where torch is too old for it; the suite says so itself, which other tests check."""

import pytest
import torch
from packaging.version import Version

VERSION = Version(torch.__version__).release[:2]

needs_float16 = pytest.mark.skipif(VERSION < (2, 3), reason='float16 on a CPU needs torch 2.3')
