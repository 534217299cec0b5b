# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Drawing for upstream's tools: its inferencers, its dataset browser and its visualization hook."""

from typing import Any

import numpy as np
import torch
from mmpose.visualization import PoseLocalVisualizer

from sapiens_pose.registry import VISUALIZERS


@VISUALIZERS.register_module()
class KeypointVisualizer(PoseLocalVisualizer):
    """mmpose's visualizer, which stops under NumPy 2.4, as that makes no number of an array of one.

    Arguments are mmpose's.
    """

    def draw_circles(
        self, center: np.ndarray | torch.Tensor, radius: np.ndarray | torch.Tensor, **kwargs: Any
    ) -> 'KeypointVisualizer':
        """Draw a circle at ``center`` (2,), with ``radius`` (1,), both in pixels."""
        if self.backend == 'opencv':
            radius = np.asarray(radius).reshape(-1)[0]
        super().draw_circles(center, radius, **kwargs)
        return self
