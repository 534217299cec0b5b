# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Near-duplicates by a perceptual hash."""

from itertools import pairwise

import cv2
import numpy as np

_BITS = 64


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


class DuplicateFinder:
    """Finds earlier images within a Hamming distance. Exact, in constant expected time.

    A hash is cut into ``distance + 1`` bands: two hashes that differ in at most ``distance`` bits
    agree in one band at least, so only images that share a band are compared.

    Args:
        distance: Bits in which near-duplicates may differ, 0 to 31.

    Raises:
        ValueError: A distance out of range.
    """

    def __init__(self, distance: int = 4) -> None:
        if not 0 <= distance < _BITS // 2:
            raise ValueError(f'distance must lie in 0..{_BITS // 2 - 1} bits, got {distance}')
        self.distance = distance
        edges = np.linspace(0, _BITS, distance + 2).round().astype(int)
        self.bands = [(int(low), (1 << int(high - low)) - 1) for low, high in pairwise(edges)]
        self.tables: list[dict[int, list[tuple[int, str]]]] = [{} for _ in self.bands]

    def find(self, value: int) -> str | None:
        """Name of an image added before whose hash is near, or None."""
        for (shift, mask), table in zip(self.bands, self.tables, strict=True):
            for other, name in table.get(value >> shift & mask, ()):
                if (value ^ other).bit_count() <= self.distance:
                    return name
        return None

    def add(self, value: int, name: str) -> None:
        """Remember an image."""
        for (shift, mask), table in zip(self.bands, self.tables, strict=True):
            table.setdefault(value >> shift & mask, []).append((value, name))
