# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Segmentation inference: a class per pixel, for images and videos."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.config import Config
from PIL import Image

from sapiens_common.visualization import beside, legend, part_title, parts_entries, parts_overlay
from sapiens_common.visualization.canvas import Entries
from sapiens_inference.engine.dense import DenseInferencer, paste
from sapiens_inference.items import Item
from sapiens_inference.outputs.results import Result, Source
from sapiens_inference.outputs.writers import TaskFiles

from .vocabularies import Vocabulary, resolve_vocabulary

BACKGROUND = 0


@dataclass
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

    def person_mask(self) -> np.ndarray:
        """Bool (H, W), True where the class is not background."""
        return self.labels != BACKGROUND

    def shares(self) -> dict[str, float]:
        """Share of the image's pixels of each class that occurs."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.names))
        total = self.labels.size
        return {self.names[i]: counts[i] / total for i in np.flatnonzero(counts).tolist()}


class SegInferencer(DenseInferencer):
    """Body parts, or any other classes, per pixel.

    Args:
        model: Config file, parsed config, or a name such as ``sapiens_1b/seg_goliath``.
        weights: Checkpoint file or published name.
        device: As :class:`sapiens_inference.Inferencer`, like the next two.
        dtype: Precision of the encoder and the upsampling layers.
        compile: Use ``torch.compile``.
        opacity: Of the parts in pictures.
        **kwargs: As :class:`sapiens_inference.Inferencer`: ``detector``, ``workers``.
    """

    task = 'seg'
    output = 'labels: class ids, 0 is background'
    gives_mask = True

    def __init__(
        self,
        model: str | Path | Config,
        weights: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        compile: bool = False,
        *,
        opacity: float = 0.55,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, weights, device, dtype, compile, **kwargs)
        self.vocabulary = _vocabulary_of(self.loaded.config)
        self.opacity = opacity
        classes = len(self.vocabulary.classes)
        head: Any = self.loaded.model.decode_head
        if head.num_classes != classes:
            raise ValueError(
                f'{self.loaded.config.filename}: the head has {head.num_classes} classes, the vocabulary '
                f'{self.vocabulary.name} {classes}'
            )

    def extract(self, sample: Any) -> np.ndarray:
        """Class ids (H, W) of a predicted data sample."""
        return sample.pred_sem_seg.data.squeeze(0).to('cpu').numpy().astype(np.uint8)

    def assemble(self, item: Item, views: list, outputs: list[Any]) -> SegResult:
        """Labels of an image; what is in no crop is background."""
        labels = paste(item.pixels.shape, views, outputs, BACKGROUND, background=BACKGROUND)
        return SegResult(
            Source.of(item),
            labels.astype(np.uint8),
            list(self.vocabulary.classes),
            [list(color) for color in self.vocabulary.palette],
        )

    def draw(self, item: Item) -> np.ndarray:
        """Parts over the photo, and a legend of those that are there."""
        picture = self.tile(item)
        # Frames of a video must be equally wide: room for every class and the longest share.
        room = [f'{part_title(name)}  100.0 %' for name in self.vocabulary.classes[1:]]
        panel = legend(self.entries(item), picture.shape[0], room if item.frame else ())
        return beside(picture, panel)

    def tile(self, item: Item) -> np.ndarray:
        """Parts over the photo."""
        labels = self._result(item).labels
        return parts_overlay(item.pixels, labels, self.vocabulary.palette, self.opacity)

    def entries(self, item: Item) -> Entries:
        """Legend of the parts that are there."""
        result = self._result(item)
        return parts_entries(result.labels, result.names, self.vocabulary.palette)

    def _result(self, item: Item) -> SegResult:
        result = item.results[self.task]
        assert isinstance(result, SegResult)
        return result

    def files(self) -> TaskFiles:
        """``<stem>.png``, a palette PNG whose values are class ids; ``<stem>.jpg``."""

        def save(result: Result, stem: Path) -> None:
            assert isinstance(result, SegResult)
            write_labels(stem.with_name(f'{stem.name}.png'), result.labels, result.palette)

        def record(result: Result) -> dict[str, Any]:
            assert isinstance(result, SegResult)
            return {'shares': {name: round(share, 6) for name, share in result.shares().items()}}

        header = {'task': self.task}
        return TaskFiles(
            self.task, save, self.draw, record, header, self.tile, self.entries, title='body parts'
        )


def write_labels(path: Path, labels: np.ndarray, palette: list[list[int]]) -> None:
    """Write class ids (H, W) as a palette PNG: the values are the ids, viewers show the colours."""
    image = Image.fromarray(labels).convert('P')
    image.putpalette([value for color in palette for value in color])
    image.save(path, optimize=False, compress_level=3)


def _vocabulary_of(config: Config) -> Vocabulary:
    """The classes of a config's test data."""
    dataset = config.test_dataloader.dataset
    if 'vocabulary' in dataset:
        return resolve_vocabulary(dataset.vocabulary)
    if 'metainfo' in dataset:
        keys = dataset.metainfo.keys() & {'classes', 'palette'}
        return resolve_vocabulary({key: dataset.metainfo[key] for key in keys})
    raise ValueError(f'{config.filename}: test_dataloader.dataset names no vocabulary')
