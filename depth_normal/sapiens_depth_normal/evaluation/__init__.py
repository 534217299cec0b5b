# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Metrics of depth and normals on the person's pixels, and of alpha mattes."""

from .depth_metric import HumanDepthMetric
from .matting_metric import AlphaMatteMetric
from .normal_metric import HumanNormalMetric

__all__ = ['AlphaMatteMetric', 'HumanDepthMetric', 'HumanNormalMetric']
