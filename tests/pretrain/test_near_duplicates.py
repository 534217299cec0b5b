# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Duplicates that tasks find apart are those that comparing every image with every other finds."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens_pretrain.curation.duplicates import DuplicateSearch, resolve


def chains(random, count, flips):
    """Hashes that go a few bits further from an earlier one each, copies among them, and positions with gaps."""
    hashes = [int(random.integers(0, 1 << 63))]
    while len(hashes) < count:
        value = hashes[random.integers(max(0, len(hashes) - 5), len(hashes))]
        for bit in random.integers(0, 64, random.integers(0, flips + 1)):
            value ^= 1 << int(bit)
        hashes.append(value if random.random() < 0.95 else int(random.integers(0, 1 << 63)))
    kept = random.random(len(hashes)) < 0.9
    return np.array(hashes, np.uint64)[kept], np.flatnonzero(kept).astype(np.uint64)


def parts_of(hashes, positions, size):
    """What a search reads: parts of so many positions of the input, some of them empty."""
    edges = range(0, int(positions[-1]) + 1 if len(positions) else 1, size)
    inside = [(positions >= edge) & (positions < edge + size) for edge in edges]
    return [(hashes[chosen], positions[chosen]) for chosen in inside]


def one_by_one(hashes, positions, distance):
    """The definition: in order, an image goes if an earlier one that stays is near; the first such is named."""
    kept, dropped = [], []
    for value, position in zip(hashes.tolist(), positions.tolist(), strict=True):
        near = [where for other, where in kept if (value ^ other).bit_count() <= distance]
        if near:
            dropped.append([position, near[0]])
        else:
            kept.append((value, position))
    return dropped


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 80),
    distance=st.sampled_from([0, 1, 2, 4, 5, 9, 20, 31]),
    size=st.sampled_from([15, 1000]),
    per_task=st.sampled_from([9, 1000]),
)
def test_tasks_equal_the_definition(seed, count, distance, size, per_task):
    hashes, positions = chains(np.random.default_rng(seed), count, distance + 2)
    parts = parts_of(hashes, positions, size)
    with tempfile.TemporaryDirectory() as folder:
        search = DuplicateSearch(
            Path(folder), parts.__getitem__, len(parts), count, distance, per_task
        )
        found = search.run(lambda function, tasks: [function(task) for task in tasks])
    assert found.tolist() == one_by_one(hashes, positions, distance)


def test_bands_cover_the_hash_and_ranges_do_not_split_them():
    for distance in range(32):
        search = DuplicateSearch(Path(), [].__getitem__, 0, 10**12, distance)
        edges = search.edges
        assert len(edges) == distance + 2 and (edges[0], edges[-1]) == (0, 64)
        assert min(np.diff(edges)) >= search.ranges.bit_length() - 1


def test_a_chain_drops_every_second():
    """a - b - c - d, each near the next alone: b goes for a, so c stays, and d goes for c."""
    near = np.array([[2, 3], [0, 1], [1, 2], [0, 1]])
    copies = np.array([[1, 4], [2, 5]])
    assert resolve(near, copies).tolist() == [[1, 0], [3, 2], [4, 0], [5, 2]]


def test_a_distance_out_of_range():
    with pytest.raises(ValueError, match=r'distance must lie in 0..31 bits, got 40'):
        DuplicateSearch(Path(), [].__getitem__, 0, 0, 40)
