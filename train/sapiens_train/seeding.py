# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Stateless randomness: every random number of a run follows from where in the run it is drawn.

A generator whose state is carried along would have to be saved on every rank and in every loader
worker to continue a killed run. Seeds derived from positions need no state at all.
"""

import random
from typing import Any

import numpy as np
import torch
from mmengine.runner import Runner

# First word of a seed's key: two purposes never share a stream.
SAMPLE, ITERATION, REPLACEMENT = 1, 2, 3


def derive_seed(*key: int) -> int:
    """Mix non-negative integers into one 32-bit seed.

    NumPy's ``SeedSequence`` does the mixing: neighbouring keys give unrelated streams.
    """
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def seed_everything(seed: int) -> None:
    """Seed the three generators that transforms and models draw from, on all devices."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def run_seed(runner: Runner) -> int:
    """The seed that all ranks share, whatever ``randomness.diff_rank_seed`` says."""
    different = runner._randomness_cfg.get('diff_rank_seed', False)
    return runner.seed - (runner.rank if different else 0)


def find_private_generators(dataset: Any) -> list[Any]:
    """Objects below a dataset that own a generator: those with ``set_random_seed``.

    Cause: since 1.4.19 albumentations draws from generators of its own, which a seed of NumPy or
    Python does not reach. Looks through wrapped datasets, pipelines and the transforms' attributes.
    """
    found: list[Any] = []
    seen: set[int] = set()
    queue: list[Any] = [dataset]
    while queue:
        item = queue.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if callable(getattr(item, 'set_random_seed', None)):
            found.append(item)
        elif isinstance(item, (list, tuple)):
            queue.extend(item)
        elif callable(getattr(item, 'transform', None)):
            queue.extend(vars(item).values())
        else:
            names = ('dataset', 'datasets', 'pipeline', 'transforms')
            queue.extend(getattr(item, name) for name in names if hasattr(item, name))
    return found
