# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Near-duplicates by a perceptual hash, found by tasks that any engine runs on any number of machines."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from sapiens_common.files.atomic import write_atomically

from .engines import Engine

_BITS = 64
_ONES = np.array([value.bit_count() for value in range(1 << 16)], np.uint8)
HASHES_PER_TASK = 1 << 22
"""That a task compares, about, with some hundred bytes of memory for each."""

Hashes = tuple[np.ndarray, np.ndarray]
"""Hashes uint64 (N,), and the positions uint64 (N,) of their images in the input, ascending."""


def difference_hash(image: np.ndarray) -> int:
    """64-bit difference hash: in a 9 x 8 thumbnail, is each pixel brighter than its left neighbour?

    Survives scaling, recompression and changes of brightness; not cropping or mirroring.

    Args:
        image: BGR uint8 (H, W, 3).

    References:
        N. Krawetz, "Kind of Like That" (2013).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = (small[:, 1:] > small[:, :-1]).flatten()
    return int.from_bytes(np.packbits(bits).tobytes(), 'big')


@dataclass(frozen=True)
class DuplicateSearch:
    """Which images to drop so that no two of the rest are near each other, the earlier one staying.

    A hash is cut into ``distance + 1`` bands: two hashes that differ in at most ``distance`` bits agree in
    one band at least. So for each band the hashes are sorted by it, parts of the input apart, and images that
    share it are compared, ranges of its values apart. Each of these tasks leaves a file. What is left to do in one
    process is to go once through the pairs that were found.

    Args:
        folder: For the files; all machines see it.
        read: Maps the number of a part to its hashes.
        parts: How many parts there are.
        count: Of images, about.
        distance: Bits in which near-duplicates may differ, 0 to 31.
        per_task: Hashes that a task compares, about.

    Raises:
        ValueError: A distance out of range.
    """

    folder: Path
    read: Callable[[int], Hashes]
    parts: int
    count: int
    distance: int = 4
    per_task: int = HASHES_PER_TASK

    def __post_init__(self) -> None:
        if not 0 <= self.distance < _BITS // 2:
            raise ValueError(f'distance must lie in 0..{_BITS // 2 - 1} bits, got {self.distance}')

    @property
    def edges(self) -> list[int]:
        """Bits where bands begin, counted from the top, and where the last one ends."""
        return [round(edge) for edge in np.linspace(0, _BITS, self.distance + 2)]

    @property
    def ranges(self) -> int:
        """Into how many ranges each band's values are cut."""
        wanted = max(0, self.count - 1) // self.per_task
        return 1 << min(wanted.bit_length(), _BITS // (self.distance + 1))

    def run(self, engine: Engine) -> np.ndarray:
        """Do what is left to do.

        Returns:
            Images to drop, int64 (N, 2): position, and position of the first image that stays and is near;
            in order of positions.
        """
        tasks = range((self.distance + 1) * self.ranges)
        for function, file, numbers in (
            (self.sort, partial(self._sorted_file, 0), range(self.parts)),
            (self.compare, self._pairs_file, tasks),
        ):
            todo = [number for number in numbers if not file(number).is_file()]
            if todo:
                engine(function, todo)
        found = [np.load(self._pairs_file(task)) for task in tasks]
        near = np.concatenate([one['near'] for one in found])
        return resolve(near, np.concatenate([one['copies'] for one in found]))

    def sort(self, part: int) -> None:
        """Write the hashes of a part, sorted by each band, which is turned to the top of the hash."""
        hashes, positions = self.read(part)
        # The first band's file comes last: where it is, all are.
        for band in reversed(range(self.distance + 1)):
            turned = _turn(hashes, self.edges[band])
            order = np.argsort(turned, kind='stable')
            table = np.stack([turned[order], positions[order]])
            write_atomically(self._sorted_file(band, part), partial(np.save, arr=table))

    def compare(self, task: int) -> None:
        """Write the pairs of images that share a band, its value in a range, and are near each other."""
        band, place = divmod(task, self.ranges)
        size = (1 << _BITS) // self.ranges
        slices = []
        for part in range(self.parts):
            table = np.load(self._sorted_file(band, part), mmap_mode='r')
            start = np.searchsorted(table[0], np.uint64(place * size))
            stop = np.searchsorted(table[0], np.uint64((place + 1) * size - 1), side='right')
            slices.append(np.array(table[:, start:stop]))
        hashes, positions = np.concatenate(slices, axis=1)
        # Parts are in order, so of equal hashes the first image comes first.
        order = np.argsort(hashes, kind='stable')
        hashes, positions = hashes[order], positions[order]
        is_first = np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)]
        firsts = positions[is_first]
        copies = np.empty((0, 2), np.int64)
        if band == 0:  # equal hashes share all bands
            of = firsts[np.cumsum(is_first) - 1]
            copies = np.stack([of, positions], axis=1)[~is_first]
        width = self.edges[band + 1] - self.edges[band]
        near = _near_pairs(hashes[is_first], firsts, width, self.distance)
        write_atomically(
            self._pairs_file(task),
            partial(np.savez, near=near.astype(np.int64), copies=copies.astype(np.int64)),
        )

    def _sorted_file(self, band: int, part: int) -> Path:
        return self.folder / f'sorted_{band:02d}_{part:06d}.npy'

    def _pairs_file(self, task: int) -> Path:
        return self.folder / f'pairs_{task:06d}.npz'


def _turn(hashes: np.ndarray, bits: int) -> np.ndarray:
    """Rotate hashes to the left."""
    if not bits:
        return hashes
    return hashes << np.uint64(bits) | hashes >> np.uint64(_BITS - bits)


def _near_pairs(hashes: np.ndarray, positions: np.ndarray, width: int, distance: int) -> np.ndarray:
    """Pairs (earlier, later) of positions whose hashes share the upper ``width`` bits and are near.

    Args:
        hashes: uint64 (N,), ascending, all different.
        positions: Positions of the images (N,).
        width: Width of the band in bits.
        distance: Bits in which they may differ.
    """
    band = hashes >> np.uint64(_BITS - width)
    left = np.arange(len(hashes))
    pairs = [np.empty((0, 2), positions.dtype)]
    offset = 0
    while len(left):  # images at one more place's distance, as long as they share the band
        offset += 1
        left = left[left + offset < len(hashes)]
        left = left[band[left] == band[left + offset]]
        differing = (hashes[left] ^ hashes[left + offset]).view(np.uint16).reshape(-1, 4)
        here = left[_ONES[differing].sum(axis=1) <= distance]
        pairs.append(np.stack([positions[here], positions[here + offset]], axis=1))
    return np.sort(np.concatenate(pairs), axis=1)


def resolve(near: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Go through images in order and drop those near an earlier one that stays.

    Args:
        near: Pairs (earlier, later) of positions with different hashes, (N, 2), in any order, repeated or not. Of
            images with equal hashes only the first is in them.
        copies: Pairs of the first image with a hash and a later one, (M, 2).

    Returns:
        (K, 2): position of a dropped image, and of the first that stays and is near; in order.
    """
    dropped: dict[int, int] = {}
    for earlier, later in near[np.lexsort(near.T)].tolist():
        if later not in dropped and earlier not in dropped:
            dropped[later] = earlier
    firsts = [dropped.get(first, first) for first in copies[:, 0].tolist()]
    rows = [*dropped.items(), *zip(copies[:, 1].tolist(), firsts, strict=True)]
    return np.array(sorted(rows), np.int64).reshape(-1, 2)
