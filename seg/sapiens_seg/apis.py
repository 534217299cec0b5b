# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Segmentation inference: a class per pixel, for images and videos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.config import Config
from PIL import Image

from sapiens_common.visualization import beside, legend, part_title, parts_entries, parts_overlay
from sapiens_common.visualization.canvas import Entries
from sapiens_inference.engine.dense import DenseInferencer, paste
from sapiens_inference.items import Item
from sapiens_inference.outputs.results import Result, Source

from .vocabularies import Vocabulary, resolve_vocabulary

BACKGROUND = 0


@dataclass(repr=False, eq=False)
class SegResult(Result):
    """Classes of one image.

    Attributes:
        labels: uint8 (H, W) class ids at the size of the image; 0 is background.
        names: Class names by id.
        palette: RGB by id.
    """

    labels: np.ndarray
    names: list[str]
    palette: list[list[int]]
    task: ClassVar[str] = 'seg'
    suffixes: ClassVar[tuple[str, ...]] = ('.png',)

    def person_mask(self) -> np.ndarray:
        """Bool (H, W), True where the class is not background."""
        return self.labels != BACKGROUND

    def shares(self) -> dict[str, float]:
        """Share of the image's pixels of each class that occurs."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.names))
        total = self.labels.size
        return {self.names[i]: counts[i] / total for i in np.flatnonzero(counts).tolist()}

    def save(self, stem: Path) -> None:
        """Write ``<stem>.png``, a palette PNG whose values are class ids."""
        write_labels(stem.with_name(f'{stem.name}.png'), self.labels, self.palette)

    def record(self) -> dict[str, Any]:
        """Share of each class in a frame."""
        return {'shares': {name: round(share, 6) for name, share in self.shares().items()}}


def write_labels(path: Path, labels: np.ndarray, palette: list[list[int]]) -> None:
    """Write class ids (H, W) as a palette PNG: the values are the ids, viewers show the colours."""
    image = Image.fromarray(labels).convert('P')
    image.putpalette([value for color in palette for value in color])
    image.save(path, optimize=False, compress_level=3)


class SegInferencer(DenseInferencer):
    """Body parts, or any other classes, per pixel.

    Args:
        *args: As :class:`sapiens_inference.Inferencer`: ``model``, ``weights``, ``device``, ``dtype``, ``compile``.
        opacity: Opacity of the parts in pictures, 0..1.
        **kwargs: As :class:`sapiens_inference.Inferencer`: ``detector``, ``workers``.
    """

    task = 'seg'
    result_type = SegResult
    output = 'labels: class ids, 0 is background'
    gives_mask = True

    def setup(self, opacity: float = 0.55) -> None:
        """Find the classes; see the class."""
        super().setup()
        self.vocabulary = _vocabulary_of(self.loaded.config)
        self.opacity = opacity
        classes = len(self.vocabulary.classes)
        head: Any = self.loaded.model.decode_head
        if head.num_classes != classes:
            raise ValueError(
                f'{self.loaded.config.filename}: the head has {head.num_classes} classes, the vocabulary '
                f'{self.vocabulary.name} {classes}'
            )

    def describe(self) -> dict[str, Any]:
        """The model and its classes, for ``summary.json``."""
        return {**super().describe(), 'classes': list(self.vocabulary.classes)}

    def extract(self, sample: Any) -> np.ndarray:
        """Class ids (H, W) of a predicted data sample."""
        return sample.pred_sem_seg.data.squeeze(0).to('cpu').numpy().astype(np.uint8)

    def postprocess(self, item: Item, views: list, outputs: list[Any]) -> SegResult:
        """Labels of an image; what is in no crop is background."""
        labels = paste(item.pixels.shape, views, outputs, BACKGROUND, background=BACKGROUND)
        return self._result(Source.of(item), labels.astype(np.uint8))

    def empty(self, source: Source) -> SegResult:
        """No pixels."""
        return self._result(source, np.zeros((0, 0), np.uint8))

    def _result(self, source: Source, labels: np.ndarray) -> SegResult:
        palette = [list(color) for color in self.vocabulary.palette]
        return SegResult(source, labels, list(self.vocabulary.classes), palette)

    def visualize(self, item: Item) -> np.ndarray:
        """Parts over the photo."""
        labels = item.results[self.task].labels
        return parts_overlay(item.pixels, labels, self.vocabulary.palette, self.opacity)

    def legend(self, item: Item | None = None) -> Entries:
        """The parts that are there with their shares, or all classes."""
        if item is None:
            pairs = zip(self.vocabulary.classes, self.vocabulary.palette, strict=True)
            return [(part_title(name), color) for name, color in pairs][1:]
        result = item.results[self.task]
        return parts_entries(result.labels, result.names, self.vocabulary.palette)

    def explained(self, item: Item) -> np.ndarray:
        """Parts over the photo, and a legend of those that are there."""
        picture = self.visualize(item)
        # Frames of a video must be equally wide: room for every class and the longest share.
        room = [f'{part_title(name)}  100.0 %' for name in self.vocabulary.classes[1:]]
        panel = legend(self.legend(item), picture.shape[0], room if item.frame else ())
        return beside(picture, panel)


def _vocabulary_of(config: Config) -> Vocabulary:
    """The classes of a config's test data."""
    dataset = config.test_dataloader.dataset
    if 'vocabulary' in dataset:
        return resolve_vocabulary(dataset.vocabulary)
    if 'metainfo' in dataset:
        keys = dataset.metainfo.keys() & {'classes', 'palette'}
        return resolve_vocabulary({key: dataset.metainfo[key] for key in keys})
    head = config.model.get('decode_head', {}).get('loss_decode', {})
    for loss in [head] if isinstance(head, dict) else head:  # of a multitask model
        if 'vocabulary' in loss:
            return resolve_vocabulary(loss['vocabulary'])
    raise ValueError(f'{config.filename}: test_dataloader.dataset names no vocabulary')
