# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Evaluation of label maps. Importing this registers it."""

from .class_iou import ClassIoUMetric

__all__ = ['ClassIoUMetric']
