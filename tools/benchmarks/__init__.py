# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Stages of ``tools/benchmark.py``, one module each with ``run(settings) -> Stage``."""

STAGES = ('data', 'targets', 'decode', 'seglabels', 'encoder', 'inference', 'train', 'render')
SINGLE = ('cpu',)
"""Stages that ``all`` leaves out, for they take as long as all others together."""
