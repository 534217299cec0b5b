# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Tasks that answer for every pixel: the whole image at once, or person by person."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import Compose, pseudo_collate

from sapiens_inference.engine.inferencer import Inferencer
from sapiens_inference.engine.models import build_test_pipeline
from sapiens_inference.items import PADDING, Item


class DenseInferencer(Inferencer):
    """Base of segmentation, depth and normals.

    By default the whole image is the model's input, as in the reference. With boxes every person is cut
    out (the box grown by :data:`PADDING` and to the input's aspect ratio; see :func:`crop_region`), run, and
    put back. Where crops overlap, the person whose centre is nearer, in units of the crop, is used.
    Arguments as :class:`Inferencer`.
    """

    def setup(self) -> None:
        """Build the test pipeline of the config."""
        self.pipeline = Compose(build_test_pipeline(self.loaded.config))
        self.aspect = self.loaded.aspect

    def views(self, item: Item, crops: bool) -> list[np.ndarray | None]:
        """None for the whole image, or a person's region as int64 (4,) x1, y1, x2, y2."""
        if not crops or item.boxes is None or item.boxes.is_whole:
            return [None]
        shape, padded = item.pixels.shape, self.loaded.padded
        return [crop_region(box, shape, self.aspect, padded) for box in item.boxes.xyxy]

    def preprocess(self, item: Item, view: np.ndarray | None) -> Any:
        """The test pipeline of the config on the image or crop."""
        return run_on_crop(self.pipeline, item, view)

    def forward(self, samples: list[Any]) -> Sequence[Any]:
        """Outputs of a batch, maps each at the size of its image or crop."""
        model: Any = self.loaded.model
        data = model.data_preprocessor(pseudo_collate(samples), False)
        return [self.extract(sample) for sample in model(**data, mode='predict')]

    @abstractmethod
    def extract(self, sample: Any) -> Any:
        """The map (H, W[, C]) of a predicted data sample."""


def run_on_crop(pipeline: Compose, item: Item, view: np.ndarray | None) -> Any:
    """A test pipeline on an image or a region of it; keypoints come back in pixels of the image.

    Args:
        pipeline: The config's test pipeline.
        item: The image.
        view: x1, y1, x2, y2, or None for the whole image.
    """
    image = item.pixels
    if view is not None:
        image = cut_out(image, view)
    shape = image.shape[:2]
    corner = (0, 0) if view is None else (view[0], view[1])
    return pipeline(
        {
            'img': image,
            'img_path': item.label,
            'img_shape': shape,
            'ori_shape': shape,
            'crop_corner': corner,
        }
    )


def crop_region(box: np.ndarray, shape: tuple[int, ...], aspect: float, padded: bool) -> np.ndarray:
    """Region of a person: the box grown by :data:`PADDING` and to the aspect of the model's input.

    Args:
        box: (4,) xyxy in pixels.
        shape: (height, width, ...) of the image.
        aspect: Width over height of the model's input.
        padded: Let the region leave the image, for :func:`cut_out` to fill, and so keep its aspect; False
            ends it at the image's border.

    Returns:
        int64 (4,) x1, y1, x2, y2, at least one pixel of it in the image.
    """
    size = np.array(shape[1::-1])
    if padded:
        low = np.clip(box[:2], 0, size - 1)
        box = np.concatenate([low, np.clip(box[2:], low + 1, size)])
    centre = (box[:2] + box[2:]) / 2
    w, h = (box[2:] - box[:2]) * PADDING
    w, h = max(w, h * aspect), max(h, w / aspect)
    low = np.floor(centre - np.array([w, h]) / 2)
    high = np.ceil(centre + np.array([w, h]) / 2)
    if not padded:
        low = np.clip(low, 0, size - 1)
        high = np.clip(high, low + 1, size)
    return np.concatenate([low, high]).astype(np.int64)


def cut_out(values: np.ndarray, region: np.ndarray, outside: int = 0) -> np.ndarray:
    """A region of an image or map.

    Args:
        values: (H, W[, C]).
        region: (4,) x1, y1, x2, y2, which may leave the image.
        outside: Value there.

    Returns:
        (y2 - y1, x2 - x1[, C]), contiguous, of the values' type.
    """
    x1, y1, x2, y2 = region
    inside, own = _overlap(region, values.shape)
    part = values[inside]
    if part.shape[:2] == (y2 - y1, x2 - x1):
        return np.ascontiguousarray(part)
    result = np.full((y2 - y1, x2 - x1, *values.shape[2:]), outside, values.dtype)
    result[own] = part
    return result


def _overlap(region: np.ndarray, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Rows and columns of the part of a region that lies in an image: counted in the image, and in the region."""
    x1, y1, x2, y2 = region
    top, left, bottom, right = max(y1, 0), max(x1, 0), min(y2, shape[0]), min(x2, shape[1])
    return np.s_[top:bottom, left:right], np.s_[top - y1 : bottom - y1, left - x1 : right - x1]


def paste(
    shape: tuple[int, ...],
    views: Sequence[np.ndarray | None],
    maps: Sequence[np.ndarray],
    fill: float,
    background: int | None = None,
) -> np.ndarray:
    """Put crops' maps back into the image.

    Args:
        shape: (height, width, ...) of the image.
        views: Regions of :func:`crop_region`; a single None for the whole image.
        maps: (h, w) or (h, w, C) per region.
        fill: Value where no crop is.
        background: A value of the maps that gives way to any other where crops overlap.

    Returns:
        (height, width[, C]) of the maps' type.
    """
    if len(views) == 1 and views[0] is None:
        return maps[0]
    height, width = shape[:2]
    kind = maps[0].dtype if maps else np.dtype(np.float32)
    channels = maps[0].shape[2:] if maps else ()
    result = np.full((height, width, *channels), fill, kind)
    nearest = np.full((height, width), np.inf, np.float32)
    crops = [(view, values) for view, values in zip(views, maps, strict=True) if view is not None]
    # Sorted, so that at equal distances it does not matter in which order people came.
    for view, values in sorted(crops, key=lambda crop: crop[0].tolist()):
        x1, y1, x2, y2 = view
        window, seen = _overlap(view, shape)
        columns = (np.arange(x2 - x1) + 0.5) / (x2 - x1) - 0.5
        rows = (np.arange(y2 - y1) + 0.5) / (y2 - y1) - 0.5
        distance = np.hypot(rows[:, None], columns[None]).astype(np.float32)
        distance, values = distance[seen], values[seen]
        if background is not None:
            distance = distance + (values == background)  # no distance exceeds 0.71
        wins = distance < nearest[window]
        nearest[window][wins] = distance[wins]
        result[window][wins] = values[wins]
    return result
