# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Where the people of a photo come from: a file of boxes, or any person detector."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sapiens_common.files.boxes import check_boxes, read_boxes_json

from .photo import Photo


class BoxesFile:
    """People from a JSON file: COCO detections, COCO annotations, or name -> [[x1, y1, x2, y2, score]].

    Names match by path, file name, stem, or COCO's numeric image id.

    Args:
        path: The file.
    """

    def __init__(self, path: str | Path) -> None:
        self.boxes = read_boxes_json(path)

    def __call__(self, photos: Sequence[Photo]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (N, 4) and scores (N,) of each photo."""
        found = []
        for photo in photos:
            path = Path(photo.name)
            keys = [photo.name, path.name, path.stem]
            if path.stem.isdigit():
                keys.append(str(int(path.stem)))
            key = next((key for key in keys if key in self.boxes), None)
            rows = check_boxes(self.boxes[key], photo.name) if key else np.zeros((0, 5), np.float32)
            found.append((rows[:, :4], rows[:, 4]))
        return found


class ImageDetector:
    """People from a detector of images.

    Args:
        detect: Maps BGR uint8 images to objects with ``xyxy`` (N, 4) and ``scores`` (N,), as
            ``sapiens_det.PersonDetector.detect`` does.
    """

    def __init__(self, detect: Callable[[Sequence[np.ndarray]], Sequence[Any]]) -> None:
        self.detect = detect

    def __call__(self, photos: Sequence[Photo]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Boxes (N, 4) and scores (N,) of each photo."""
        return [(one.xyxy, one.scores) for one in self.detect([photo.image for photo in photos])]
