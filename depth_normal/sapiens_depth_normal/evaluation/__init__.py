# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Metrics of depth and normals on the person's pixels."""

from .depth_metric import HumanDepthMetric
from .normal_metric import HumanNormalMetric

__all__ = ['HumanDepthMetric', 'HumanNormalMetric']
