# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Inference of albedo and of mattes: the colours of people without light, and without background."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from PIL import Image, ImageColor

from sapiens_common.files.images import IMAGE_SUFFIXES, read_image
from sapiens_common.transforms.random_background import scale_to_cover
from sapiens_common.visualization import beside
from sapiens_common.visualization.dense import BACKGROUND, by_bands
from sapiens_inference.engine.dense import DenseInferencer, paste
from sapiens_inference.items import Item
from sapiens_inference.outputs.results import Result, Source


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Values of 0..1 as uint8."""
    return (values * 255).round().clip(0, 255).astype(np.uint8)


@dataclass(repr=False, eq=False)
class AlbedoResult(Result):
    """Albedo of one image.

    Attributes:
        albedo: float32 (H, W, 3), sRGB of 0..1, red first. Values off the person mean nothing; zero where no
            crop was.
        mask: bool (H, W), True on people, if a mask was given.
    """

    albedo: np.ndarray
    mask: np.ndarray | None = None
    task: ClassVar[str] = 'albedo'
    suffixes: ClassVar[tuple[str, ...]] = ('.png',)

    def save(self, stem: Path) -> None:
        """Write ``<stem>.png``, 8 bit."""
        Image.fromarray(by_bands(to_bytes, self.albedo)).save(stem.with_name(f'{stem.name}.png'))


class AlbedoInferencer(DenseInferencer):
    """Albedo of people; with ``masks=...`` pictures show people only.

    Arguments as :class:`sapiens_inference.Inferencer`: ``model``, ``weights``, ``device``,
    ``dtype``, ``compile``, ``detector``, ``workers``.
    """

    task = 'albedo'
    result_type = AlbedoResult
    output = 'albedo: sRGB without light and shade, red first; 0..1, in files 0..255'

    def extract(self, sample: Any) -> np.ndarray:
        """Colours (H, W, 3) of a predicted data sample."""
        return sample.pred_albedo_map.data.permute(1, 2, 0).cpu().numpy()

    def postprocess(self, item: Item, views: list, outputs: list[Any]) -> AlbedoResult:
        """Albedo of an image."""
        albedo = _paste_colours(item, views, outputs, 3)
        return AlbedoResult(Source.of(item), albedo, item.mask)

    def empty(self, source: Source) -> AlbedoResult:
        """No pixels."""
        return AlbedoResult(source, np.zeros((0, 0, 3), np.float32))

    def visualize(self, item: Item) -> np.ndarray:
        """The colours, grey off the people if a mask was given."""
        result = item.results[self.task]
        picture = by_bands(lambda values: to_bytes(values)[..., ::-1], result.albedo)
        if result.mask is not None:
            picture[~result.mask] = BACKGROUND
        return picture

    def explained(self, item: Item) -> np.ndarray:
        """Photo and albedo."""
        return beside(item.pixels, self.visualize(item))


@dataclass(repr=False, eq=False)
class MattingResult(Result):
    """Foreground and alpha of one image.

    Attributes:
        alpha: float32 (H, W) of 0..1, the share of each pixel that people cover.
        foreground: float32 (H, W, 3) of 0..1, red first: colours of the people multiplied by alpha. They are
            the model's, or the photo's where its config has ``test_cfg=dict(colours='photo')``.
    """

    alpha: np.ndarray
    foreground: np.ndarray
    task: ClassVar[str] = 'matting'
    suffixes: ClassVar[tuple[str, ...]] = ('.png',)

    def person_mask(self) -> np.ndarray:
        """Bool (H, W), True where people cover more than half of a pixel."""
        return self.alpha > 0.5

    def cutout(self) -> np.ndarray:
        """uint8 (H, W, 4): red, green, blue, alpha, with straight colours (not multiplied by alpha)."""

        def cut(foreground: np.ndarray, alpha: np.ndarray) -> np.ndarray:
            straight = foreground / np.maximum(alpha, 1e-3)[..., None]
            return np.dstack([to_bytes(straight), to_bytes(alpha)])

        return by_bands(cut, self.foreground, self.alpha, channels=(4,))

    def over(self, background: np.ndarray) -> np.ndarray:
        """The people in front of another picture.

        Args:
            background: uint8 BGR (H, W, 3), or a colour (3,).

        Returns:
            uint8 BGR (H, W, 3).
        """

        def put(foreground: np.ndarray, alpha: np.ndarray, behind: np.ndarray) -> np.ndarray:
            rest = (1 - alpha[..., None]) * (behind.astype(np.float32) / 255)
            return to_bytes(foreground[..., ::-1] + rest)

        behind = np.broadcast_to(background, self.foreground.shape)
        return by_bands(put, self.foreground, self.alpha, behind)

    def save(self, stem: Path) -> None:
        """Write ``<stem>.png``, red, green, blue, alpha with straight colours."""
        Image.fromarray(self.cutout()).save(stem.with_name(f'{stem.name}.png'))


class MattingInferencer(DenseInferencer):
    """People cut out with soft edges.

    Args:
        *args: As :class:`sapiens_inference.Inferencer`: ``model``, ``weights``, ``device``, ``dtype``, ``compile``.
        background: What pictures show behind the people: a colour by name or as ``#rrggbb``, or a picture
            file, which is scaled until it covers the image.
        **kwargs: As :class:`sapiens_inference.Inferencer`: ``detector``, ``workers``.

    Raises:
        ValueError: The background is neither a colour nor a picture.
    """

    task = 'matting'
    result_type = MattingResult
    gives_mask = True
    output = 'alpha: 0..1; foreground: sRGB of 0..1 times alpha; files: straight colours and alpha'

    def setup(self, background: str = '#00b140') -> None:
        """Read the background; see the class."""
        super().setup()
        self.background_name = str(background)
        self.background = read_background(background)
        test_cfg = self.loaded.config.model.get('test_cfg') or {}
        self.photo_colours = test_cfg.get('colours') == 'photo'

    def choices(self) -> dict[str, Any]:
        """What pictures show behind the people."""
        return {'background': self.background_name}

    def extract(self, sample: Any) -> np.ndarray:
        """Foreground and alpha (H, W, 4) of a predicted data sample."""
        return sample.pred_matting_map.data.permute(1, 2, 0).cpu().numpy()

    def postprocess(self, item: Item, views: list, outputs: list[Any]) -> MattingResult:
        """Matte of an image; nobody is where no crop was."""
        matte = _paste_colours(item, views, outputs, 4)
        alpha, foreground = matte[..., 3], matte[..., :3]
        if self.photo_colours:
            foreground = item.pixels[..., ::-1] * (alpha[..., None] / 255)
        return MattingResult(Source.of(item), alpha, foreground)

    def empty(self, source: Source) -> MattingResult:
        """No pixels."""
        return MattingResult(source, np.zeros((0, 0), np.float32), np.zeros((0, 0, 3), np.float32))

    def visualize(self, item: Item) -> np.ndarray:
        """People before the background."""
        result = item.results[self.task]
        background = self.background
        if background.ndim == 3:
            background = cover(background, result.alpha.shape)
        return result.over(background)

    def explained(self, item: Item) -> np.ndarray:
        """Photo, people before the background, and alpha."""
        alpha = to_bytes(item.results[self.task].alpha)
        return beside(item.pixels, self.visualize(item), cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR))


def _paste_colours(item: Item, views: list, outputs: list[Any], channels: int) -> np.ndarray:
    """Colours of crops in the image; zero where none is."""
    pasted = paste(item.pixels.shape, views, outputs, 0.0)
    if pasted.ndim == 2:  # no crop at all
        pasted = np.zeros((*pasted.shape, channels), np.float32)
    return np.ascontiguousarray(pasted)


def read_background(background: str) -> np.ndarray:
    """A colour as uint8 BGR (3,), or a picture as uint8 BGR (H, W, 3).

    Raises:
        ValueError: It is neither.
    """
    if Path(background).suffix.lower() in IMAGE_SUFFIXES:
        return read_image(background)
    try:
        red, green, blue = ImageColor.getrgb(background)[:3]
    except ValueError as error:
        raise ValueError(
            f"background {background!r} is neither a colour such as 'white' or '#00b140' nor a picture file"
        ) from error
    return np.array([blue, green, red], np.uint8)


def cover(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Scale a picture, aspect kept, until it covers (height, width), and take its middle."""
    height, width = shape[:2]
    picture = scale_to_cover(picture, height, width)
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]
