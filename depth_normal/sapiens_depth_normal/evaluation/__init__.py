# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Metrics of depth, normals, albedo and pointmaps on the person's pixels, and of alpha mattes."""

from .albedo_metric import HumanAlbedoMetric
from .depth_metric import HumanDepthMetric
from .matting_metric import AlphaMatteMetric, MattingForegroundMetric
from .normal_metric import HumanNormalMetric
from .pointmap_metric import HumanPointmapMetric

__all__ = [
    'AlphaMatteMetric',
    'HumanAlbedoMetric',
    'HumanDepthMetric',
    'HumanNormalMetric',
    'HumanPointmapMetric',
    'MattingForegroundMetric',
]
