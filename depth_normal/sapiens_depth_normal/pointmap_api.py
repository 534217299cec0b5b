# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Pointmap inference: a point in metres per pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sapiens_inference.items import Item
from sapiens_inference.outputs.results import Result, Source

from .apis import DepthPictures


@dataclass(repr=False, eq=False)
class PointmapResult(Result):
    """Points of one image.

    Attributes:
        points: float32 (H, W, 3) metres in the axes of the camera: x right, y down, z forward. Values off the
            person mean nothing.
        focal: Focal length in pixels of the image that the model assumed for its metres; 0 for none.
        mask: bool (H, W), True on people, if a mask was given.
    """

    points: np.ndarray
    focal: float = 0.0
    mask: np.ndarray | None = None
    task: ClassVar[str] = 'pointmap'
    suffixes: ClassVar[tuple[str, ...]] = ('.npz',)

    @property
    def depth(self) -> np.ndarray:
        """float32 (H, W), distance from the camera's plane in metres."""
        return self.points[..., 2]

    def save(self, stem: Path) -> None:
        """Write ``<stem>.npz`` with ``points``, ``focal`` and, if there is one, ``mask``."""
        arrays: dict[str, Any] = {'points': self.points, 'focal': np.float32(self.focal)}
        if self.mask is not None:
            arrays['mask'] = self.mask
        np.savez_compressed(stem.with_name(f'{stem.name}.npz'), **arrays)


class PointmapInferencer(DepthPictures):
    """Points of people in metres; with ``masks=...`` pictures show people only.

    The whole image is the model's input even if there are boxes: a crop has another camera.
    Arguments as :class:`sapiens_inference.Inferencer`: ``model``, ``weights``, ``device``,
    ``dtype``, ``compile``, ``detector``, ``workers``.
    """

    task = 'pointmap'
    result_type = PointmapResult
    output = 'points: metres, x right, y down, z forward; focal: pixels of the image'

    def views(self, item: Item, crops: bool) -> list[np.ndarray | None]:
        """The whole image."""
        return [None]

    def extract(self, sample: Any) -> tuple[np.ndarray, float]:
        """Points (H, W, 3) and focal length of a predicted data sample."""
        points = sample.pred_point_map.data.permute(1, 2, 0).cpu().numpy()
        head: Any = self.loaded.model.decode_head
        left, right, _, _ = sample.get('padding_size', (0, 0, 0, 0))
        fitted = sample.img_shape[1] - left - right
        focal = head.canonical_focal / sample.pred_scale * sample.ori_shape[1] / fitted
        return np.ascontiguousarray(points), float(focal)

    def postprocess(self, item: Item, views: list, outputs: list[Any]) -> PointmapResult:
        """Points of an image."""
        points, focal = outputs[0]
        return PointmapResult(Source.of(item), points, focal, item.mask)

    def empty(self, source: Source) -> PointmapResult:
        """No pixels."""
        return PointmapResult(source, np.zeros((0, 0, 3), np.float32))
