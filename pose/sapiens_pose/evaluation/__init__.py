# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Evaluation of keypoints. Importing this registers the metrics."""

from .completed_coco import CompletedCocoMetric
from .humans5k import Humans5KMetric
from .keypoint_errors import KeypointErrorMetric, annotated_people

__all__ = ['CompletedCocoMetric', 'Humans5KMetric', 'KeypointErrorMetric', 'annotated_people']
