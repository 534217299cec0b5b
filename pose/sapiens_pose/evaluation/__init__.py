# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Evaluation of keypoints. Importing this registers the metric of 308."""

from .humans5k import Humans5KMetric
from .keypoint_errors import KeypointErrorMetric, annotated_people

__all__ = ['Humans5KMetric', 'KeypointErrorMetric', 'annotated_people']
