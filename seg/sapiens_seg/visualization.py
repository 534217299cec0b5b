# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The visualizer of segmentation for MMSegmentation's own tools."""

from typing import Any

import numpy as np
from mmseg.visualization import SegLocalVisualizer

from sapiens_seg.registry import VISUALIZERS


@VISUALIZERS.register_module()
class PartsVisualizer(SegLocalVisualizer):
    """mmseg's visualizer for any layout of the image in memory.

    mmseg 1.2.2 writes the names of classes into an array that is laid out like the image, which OpenCV
    refuses for the one that mmseg's ``browse_dataset.py`` makes. Arguments are mmseg's.
    """

    def add_datasample(self, name: str, image: np.ndarray, *args: Any, **kwargs: Any) -> None:
        """Draw a sample on the RGB image (H, W, 3)."""
        super().add_datasample(name, np.ascontiguousarray(image), *args, **kwargs)
