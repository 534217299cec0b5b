# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Keypoints to heatmaps and back, batched on the model's device. Importing this registers them."""

from .udp_heatmap import BatchedUDPHeatmap

__all__ = ['BatchedUDPHeatmap']
