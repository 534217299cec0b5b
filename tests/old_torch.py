# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What tests skip where torch is too old for it; the suite says so itself, which other tests check."""

import pytest
import torch
from packaging.version import Version

VERSION = Version(torch.__version__).release[:2]

needs_counting = pytest.mark.skipif(VERSION < (2, 4), reason='counting needs torch 2.4')
needs_export = pytest.mark.skipif(VERSION < (2, 4), reason='torch_export needs torch 2.4')
needs_float16 = pytest.mark.skipif(VERSION < (2, 3), reason='float16 on a CPU needs torch 2.3')
needs_fsdp2 = pytest.mark.skipif(VERSION < (2, 7), reason='FSDP2 on a CPU needs torch 2.7')
needs_onnx = pytest.mark.skipif(VERSION < (2, 7), reason='ONNX needs torch 2.7')
formats = [
    'torchscript',
    pytest.param('onnx', marks=needs_onnx),
    pytest.param('torch_export', marks=needs_export),
]
