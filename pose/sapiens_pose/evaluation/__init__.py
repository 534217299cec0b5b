# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Evaluation of 308 keypoints. Importing this registers it."""

from .humans5k import Humans5KMetric

__all__ = ['Humans5KMetric']
