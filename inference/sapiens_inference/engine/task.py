# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""What a task adds to the engine: MMEngine's four verbs, and what describes its results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from sapiens_common.visualization import beside, legend
from sapiens_common.visualization.canvas import Entries
from sapiens_inference.inputs.boxes import BoxFinder
from sapiens_inference.items import Item
from sapiens_inference.outputs.results import Result, Source
from sapiens_inference.tasks import TASKS


class Task(ABC):
    """A task as the pipeline sees it.

    For each image: ``views``, ``preprocess`` (once per view, in threads), ``forward`` (batches of views of
    many images), ``postprocess``, then ``Result.save`` and ``visualize`` (in threads).

    Attributes:
        task: Name of the task and of its output folder.
        result_type: Class of its results.
        needs_boxes: Whether the task works on people's boxes (True) or on the whole image.
        gives_mask: Whether its results tell people from background (``Result.person_mask``).
        output: What the numbers of results and files mean: units, range, axes. For ``summary.json``.
        detector: Finds people, if given.
        workers: Threads that decode, crop, draw and write beside the model.
    """

    task: ClassVar[str]
    result_type: ClassVar[type[Result]]
    needs_boxes: ClassVar[bool] = False
    gives_mask: ClassVar[bool] = False
    output: str
    detector: BoxFinder | None = None
    workers: int = 4

    @property
    def title(self) -> str:
        """Name on a sheet of several tasks."""
        return TASKS[self.task].title if self.task in TASKS else self.task

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The model, for ``summary.json``."""

    def choices(self) -> dict[str, Any]:
        """The task's own options that change its numbers or pictures, as JSON can hold them."""
        return {}

    @abstractmethod
    def views(self, item: Item, crops: bool) -> list[np.ndarray | None]:
        """What of an item goes into the model: boxes xyxy (4,), or None for the whole image.

        Args:
            item: Decoded; its boxes are known if the run needs them.
            crops: Whether a task that could take the whole image shall take boxes.
        """

    @abstractmethod
    def preprocess(self, item: Item, view: np.ndarray | None) -> Any:
        """One model input; runs in a thread."""

    @abstractmethod
    def forward(self, samples: list[Any]) -> Sequence[Any]:
        """Run the model on prepared inputs; one output each, on the CPU."""

    @abstractmethod
    def postprocess(self, item: Item, views: list, outputs: list[Any]) -> Result:
        """The result of an item from the outputs of its views."""

    @abstractmethod
    def visualize(self, item: Item) -> np.ndarray:
        """The picture of an item whose results are set: uint8 (H, W, 3) BGR, of the image's size."""

    @abstractmethod
    def empty(self, source: Source) -> Result:
        """A result with the fields of the task, empty, for an input that could not be processed."""

    def legend(self, item: Item | None = None) -> Entries:
        """Lines of the legend: of what an item shows, or of all that the task may show."""
        return ()

    def explained(self, item: Item) -> np.ndarray:
        """The picture of an item with its legend, or what else explains it, beside it."""
        picture = self.visualize(item)
        entries = self.legend(item)
        return beside(picture, legend(entries, picture.shape[0])) if entries else picture

    def finishers(self, smooth: bool) -> list[Callable[[Item], None]]:
        """What happens to finished items in order, such as smoothing over the frames of a video."""
        return []

    def parts(self) -> Sequence[Task]:
        """The tasks whose results this one makes, files and pictures included; by default itself."""
        return (self,)

    def find_people(self) -> BoxFinder:
        """The detector, built on first use.

        Raises:
            ValueError: There is none, and no default.
        """
        if self.detector is None:
            self.detector = self.default_detector()
        return self.detector

    def default_detector(self) -> BoxFinder:
        """The detector used when the user gave none."""
        raise ValueError("no person detector was given; pass detector=..., or boxes='image'")
