# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Crops of many images in one batch, and images complete in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sapiens_inference.engine.batching import AdaptiveBatch
from sapiens_inference.items import Item


@dataclass
class Slot:
    """An item and what of it is still in the model.

    Attributes:
        item: The item.
        views: What of it goes into the model.
        outputs: One per view; None, or an exception, where there is none.
        missing: How many outputs are not there yet.
    """

    item: Item
    views: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    missing: int = 0

    @classmethod
    def of(cls, item: Item, views: list[Any]) -> Slot:
        """A slot that waits for the outputs of all views."""
        return cls(item, views, [None] * len(views), len(views))

    def deliver(self, number: int, output: Any) -> None:
        """Set the output of a view; an exception fails the item."""
        self.missing -= 1
        self.outputs[number] = output
        if isinstance(output, Exception) and self.item.error is None:
            self.item.fail(reason_of(self.item, output))


@dataclass
class Crop:
    """One view of an item on its way into the model.

    Attributes:
        slot: The item's slot.
        number: Which view; None for an item without any.
        sample: The prepared input, or the exception that preparing it raised.
    """

    slot: Slot
    number: int | None = None
    sample: Any = None

    @property
    def nbytes(self) -> int:
        """The crop's share of its item's bytes."""
        return self.slot.item.nbytes // max(1, len(self.slot.views))


class CropQueue:
    """Gathers crops until there is a batch, runs it, and gives items back in order.

    Args:
        batcher: Runs the model on a list of samples.
        most_items: So many items wait at most: failed and empty ones must not pile up behind one that
            waits for a full batch.
        most_bytes: Nor must large ones beyond this.
    """

    def __init__(self, batcher: AdaptiveBatch, most_items: int, most_bytes: int) -> None:
        self.batcher = batcher
        self.most_items, self.most_bytes = most_items, most_bytes
        self._slots: deque[Slot] = deque()
        self._crops: list[Crop] = []

    def add(self, crop: Crop) -> None:
        """Take the next crop; those of one item follow each other."""
        if not self._slots or self._slots[-1] is not crop.slot:
            self._slots.append(crop.slot)
        if crop.number is None:
            return
        if isinstance(crop.sample, Exception):
            crop.slot.deliver(crop.number, crop.sample)
        else:
            self._crops.append(crop)

    @property
    def full(self) -> bool:
        """Whether there is a batch, or too much waits for one."""
        if len(self._crops) >= self.batcher.size or len(self._slots) > self.most_items:
            return True
        if len(self._slots) < 2:
            return False
        return sum(slot.item.nbytes for slot in self._slots) >= self.most_bytes

    def flush(self) -> None:
        """Run the model on all crops that wait."""
        # After a halving the batcher splits what had been gathered for the larger batch.
        outputs = run_each(self.batcher, [crop.sample for crop in self._crops])
        for crop, output in zip(self._crops, outputs, strict=True):
            assert crop.number is not None  # see add
            crop.slot.deliver(crop.number, output)
        self._crops.clear()

    def ready(self) -> Iterator[Slot]:
        """Slots of the items that are complete, in order."""
        while self._slots and not self._slots[0].missing:
            yield self._slots.popleft()


def run_each(batcher: AdaptiveBatch, samples: list[Any]) -> list[Any]:
    """One output per sample; what does not fit into memory even alone becomes an error."""
    try:
        return batcher(samples)
    except ValueError as error:
        if len(samples) == 1:
            return [error]
    return [run_each(batcher, [sample])[0] for sample in samples]


def reason_of(item: Item, error: Exception) -> str:
    """An error's text, with the item's name if it is not in it already."""
    text = str(error) or type(error).__name__
    return text if item.label in text else f'{item.label}: {text}'
