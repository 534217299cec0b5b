# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Unlabelled images as a data set, and the endless, resumable order they are read in."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Dataset, Sampler

from sapiens_pretrain.registry import DATA_SAMPLERS, DATASETS

from .shards import ShardedImages
from .sources import open_images


@DATASETS.register_module()
class ImageSet(Dataset):
    """Images without labels, from any source of :func:`open_images`.

    The first transform gets ``encoded`` (bytes) and ``img_path`` (name). Unreadable images raise;
    the training loader names, replaces and counts them.

    Args:
        images: Folder, list file, or shards.
        pipeline: Transforms.
        max_bad_shards: Share of the shards that may be unreadable.
    """

    metainfo: dict[str, Any] = {}

    def __init__(self, images: str, pipeline: list, max_bad_shards: float = 0.5) -> None:
        self.source = open_images(images, max_bad_shards)
        self.pipeline = Compose(pipeline)

    def __len__(self) -> int:
        return len(self.source)

    def get_data_info(self, index: int) -> dict[str, str]:
        """What messages call a sample."""
        return {'img_path': self.source.name(index)}

    def read(self, index: int) -> dict[str, Any]:
        """What the first transform gets."""
        name, encoded = self.source.read(index)
        return {'img_path': name, 'encoded': encoded}

    def __getitem__(self, index: int) -> Any:
        return self.pipeline(self.read(index))


@DATA_SAMPLERS.register_module()
class StreamSampler(Sampler):
    """Pass after pass over a data set, dealt out to the ranks one by one, without end.

    Every pass holds every sample exactly once, for any number of ranks: nothing is repeated to fill
    up and nothing is dropped; a pass may begin in the middle of a batch. The order depends on the
    seed alone, so a run may go on with another number of ranks.

    Args:
        dataset: The data set. A data set of shards may be shuffled in windows.
        shuffle: Whether each pass has a new random order.
        window: Number of shards that are read at a time (0: all). The shards' order is shuffled,
            then the samples within each window: reads stay within few files, at the price of less
            mixing. Needed for shards on disks or networks that are slow at random access.
        seed: Seed of the order. The training loop sets that of the run.

    Raises:
        ValueError: A window for a data set without shards, or a negative one.
    """

    def __init__(
        self, dataset: Any, shuffle: bool = True, window: int = 0, seed: int | None = None
    ) -> None:
        source = getattr(dataset, 'source', None)
        if window < 0 or (window and not isinstance(source, ShardedImages)):
            raise ValueError(f'window={window} needs a data set of shards; use 0 for other sources')
        self.rank, self.world_size = get_dist_info()
        self.size = len(dataset)
        self.shuffle = shuffle
        self.window = window
        self.starts = source.starts if isinstance(source, ShardedImages) else np.zeros(1, int)
        self.seed = sync_random_seed() if seed is None else seed

    def __len__(self) -> int:
        """Samples of one pass on one rank, rounded up."""
        return -(-self.size // self.world_size)

    def __iter__(self) -> Iterator[int]:
        position = 0
        for number in count():
            for chunk in self._pass(number):
                first = (self.rank - position) % self.world_size
                yield from chunk[first :: self.world_size].tolist()
                position += len(chunk)

    def _pass(self, number: int) -> Iterator[np.ndarray]:
        """The samples of one pass, in pieces."""
        if not self.shuffle:
            yield np.arange(self.size)
            return
        random = np.random.default_rng((self.seed, number))
        if not self.window:
            yield random.permutation(self.size)
            return
        shards = random.permutation(len(self.starts) - 1)
        for first in range(0, len(shards), self.window):
            group = shards[first : first + self.window]
            yield random.permutation(
                np.concatenate([np.arange(self.starts[i], self.starts[i + 1]) for i in group])
            )
