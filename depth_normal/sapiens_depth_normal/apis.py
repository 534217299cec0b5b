# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Depth and normal inference on images and videos."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sapiens_common.visualization import beside, depth_picture, normal_picture
from sapiens_common.visualization.dense import by_bands, depth_range, depth_scale
from sapiens_inference.engine.dense import DenseInferencer, paste
from sapiens_inference.items import Frame, Item
from sapiens_inference.outputs.results import Result, Source
from sapiens_inference.outputs.writers import write_image

from .geometry import AXES, DEPTH_UNIT, convert_normals


@dataclass(repr=False, eq=False)
class DepthResult(Result):
    """Relative depth of one image.

    Attributes:
        depth: float32 (H, W), the model's raw output at the size of the image: 0 is the nearest point of
            the person and 1 the farthest, without unit. Values off the person mean nothing; NaN where no
            crop was. Compare with metric depth after :func:`sapiens_depth_normal.geometry.align_depth`.
        mask: bool (H, W), True on people, if a mask was given.
    """

    depth: np.ndarray
    mask: np.ndarray | None = None
    task: ClassVar[str] = 'depth'
    suffixes: ClassVar[tuple[str, ...]] = ('.npy', '.png')

    def save(self, stem: Path) -> None:
        """Write ``<stem>.npy``, float32 raw, and ``<stem>.png``, 16 bit: 0..1 as 0..65535, clipped."""
        np.save(stem.with_name(f'{stem.name}.npy'), self.depth)
        levels = by_bands(_levels, self.depth, self.mask, channels=(), dtype=np.uint16)
        write_image(stem.with_name(f'{stem.name}.png'), levels)


def _levels(depth: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Depth 0..1 as 0..65535; the farthest where there is none."""
    levels = (np.nan_to_num(depth, nan=1.0).clip(0, 1) * 65535).round()
    return levels if mask is None else np.where(mask, levels, 65535)


@dataclass(repr=False, eq=False)
class NormalResult(Result):
    """Surface normals of one image.

    Attributes:
        normal: float32 (H, W, 3) unit vectors in camera coordinates: X right, Y up, Z to the camera
            (OpenGL), unless the inferencer was told another convention. Values off the person mean
            nothing; zero where no crop was.
        mask: bool (H, W), True on people, if a mask was given.
    """

    normal: np.ndarray
    mask: np.ndarray | None = None
    task: ClassVar[str] = 'normal'
    suffixes: ClassVar[tuple[str, ...]] = ('.npy',)

    def save(self, stem: Path) -> None:
        """Write ``<stem>.npy``, float32 (H, W, 3) unit vectors."""
        np.save(stem.with_name(f'{stem.name}.npy'), self.normal)


class DepthPictures(DenseInferencer):
    """Base of inferencers whose results have a depth: pictures of it, near bright."""

    def finishers(self, smooth: bool) -> list[Callable[[Item], None]]:
        """Colours that do not flicker from frame to frame, whether keypoints are smoothed or not."""
        return [SteadyRange(self.task)]

    def visualize(self, item: Item) -> np.ndarray:
        """The depth of an image."""
        result = item.results[self.task]
        return depth_picture(result.depth, result.mask, item.limits)

    def explained(self, item: Item) -> np.ndarray:
        """Photo, depth and its scale, in the unit of the results."""
        result = item.results[self.task]
        limits = item.limits or depth_range(result.depth, result.mask)
        picture = depth_picture(result.depth, result.mask, limits)
        return beside(item.pixels, picture, depth_scale(picture.shape[0], limits))


class DepthInferencer(DepthPictures):
    """Relative depth of people, raw; with ``masks=...`` pictures show people only.

    Arguments as :class:`sapiens_inference.Inferencer`: ``model``, ``weights``, ``device``,
    ``dtype``, ``compile``, ``detector``, ``workers``.
    """

    task = 'depth'
    result_type = DepthResult
    output = f'depth: {DEPTH_UNIT}; the 16-bit PNG holds 0..1 as 0..65535'

    def extract(self, sample: Any) -> np.ndarray:
        """Depth (H, W) of a predicted data sample."""
        return sample.pred_depth_map.data.squeeze(0).float().cpu().numpy()

    def postprocess(self, item: Item, views: list, outputs: list[Any]) -> DepthResult:
        """Depth of an image; every crop is relative to its own person."""
        depth = paste(item.pixels.shape, views, outputs, np.nan)
        return DepthResult(Source.of(item), depth, item.mask)

    def empty(self, source: Source) -> DepthResult:
        """No pixels."""
        return DepthResult(source, np.zeros((0, 0), np.float32))


class SteadyRange:
    """Lets the range of values that depth pictures show follow a video slowly.

    Args:
        task: Whose results to look at.
        seconds: Time in which about two thirds of a change are followed.
    """

    def __init__(self, task: str, seconds: float = 1.0) -> None:
        self.task, self.seconds = task, seconds
        self._frame: Frame | None = None
        self._limits = (0.0, 1.0)

    def __call__(self, item: Item) -> None:
        """Set the limits of the next frame; images that are not frames of a video are left alone."""
        if item.frame is None:
            return
        result = item.results[self.task]
        found = depth_range(result.depth, result.mask)
        if self._frame is None or self._frame.video is not item.frame.video:
            self._limits = found
        else:
            step = max(item.frame.time - self._frame.time, 0.0)
            share = 1 - math.exp(-step / self.seconds)
            old = self._limits
            near, far = (a + share * (b - a) for a, b in zip(old, found, strict=True))
            self._limits = near, far
        self._frame, item.limits = item.frame, self._limits


class NormalInferencer(DenseInferencer):
    """Surface normals of people; with ``masks=...`` pictures show people only.

    Args:
        *args: As :class:`sapiens_inference.Inferencer`: ``model``, ``weights``, ``device``, ``dtype``, ``compile``.
        convention: Camera coordinates of results and files, a key of
            ``sapiens_depth_normal.geometry.CONVENTIONS``. Pictures always show OpenGL's.
        **kwargs: As :class:`sapiens_inference.Inferencer`: ``detector``, ``workers``.
    """

    task = 'normal'
    result_type = NormalResult

    def setup(self, convention: str = 'opengl') -> None:
        """Take the convention; see the class."""
        super().setup()
        convert_normals(np.zeros(3), convention)  # refuse an unknown one before the work
        self.convention = convention
        self.output = f'normal: unit vectors in camera coordinates, {AXES[convention]}'

    def extract(self, sample: Any) -> np.ndarray:
        """Normals (H, W, 3) of a predicted data sample."""
        return sample.pred_normal_map.data.float().permute(1, 2, 0).cpu().numpy()

    def postprocess(self, item: Item, views: list, outputs: list[Any]) -> NormalResult:
        """Normals of an image."""
        normal = paste(item.pixels.shape, views, outputs, 0.0)
        if normal.ndim == 2:  # no crop at all
            normal = np.zeros((*normal.shape, 3), np.float32)
        normal = convert_normals(np.ascontiguousarray(normal), self.convention)
        return NormalResult(Source.of(item), normal, item.mask)

    def empty(self, source: Source) -> NormalResult:
        """No pixels."""
        return NormalResult(source, np.zeros((0, 0, 3), np.float32))

    def visualize(self, item: Item) -> np.ndarray:
        """Normals, RGB = XYZ."""
        result = item.results[self.task]
        return normal_picture(convert_normals(result.normal, self.convention), result.mask)

    def explained(self, item: Item) -> np.ndarray:
        """Photo and normals."""
        return beside(item.pixels, self.visualize(item))
