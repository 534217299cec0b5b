# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Inference on anything: one engine for every task.

Import the inferencers from their packages: ``sapiens_pose.apis``, ``sapiens_seg.apis``,
``sapiens_depth_normal.apis``.
"""

from sapiens_inference.engine.inferencer import Inferencer, Predictions
from sapiens_inference.items import Boxes, Item
from sapiens_inference.outputs.results import Failure, Result, Source
from sapiens_inference.outputs.summary import Summary

__all__ = [
    'Boxes',
    'Failure',
    'Inferencer',
    'Item',
    'Predictions',
    'Result',
    'Source',
    'Summary',
]
