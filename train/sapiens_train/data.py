# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""A training loader that continues anywhere in an epoch and survives broken samples.

It wraps whatever loader mmengine built from the config (any dataset, sampler and batch sampler of
upstream), so recipes name nothing of this module.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from mmengine.dist import get_dist_info
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader, Dataset, IterableDataset

from .seeding import REPLACEMENT, SAMPLE, derive_seed, find_private_generators, seed_everything

MAX_REPLACEMENTS = 10
"""Broken samples in a row that one position of a batch may meet before the run stops."""


@dataclass(frozen=True, slots=True)
class SampleKey:
    """What a loader worker is asked for: a sample, and the seed of its augmentation."""

    index: int
    seed: int


@dataclass(frozen=True, slots=True)
class BadSample:
    """A sample that could not be read."""

    index: int
    name: str
    error: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """One sample as read (``index`` is its replacement's where it was broken)."""

    index: int
    data: Any
    bad: tuple[BadSample, ...]


class Batch(NamedTuple):
    """A collated batch with the indices of its samples and what was broken on the way."""

    data: Any
    indices: list[int]
    bad: list[BadSample]


def describe_sample(dataset: Any, index: int) -> str:
    """Name of a sample for messages: its file or id where the dataset tells, and its index."""
    try:
        info = dataset.get_data_info(index)
        for key in ('img_path', 'image_path', 'id', 'img_id'):
            if info.get(key) is not None:
                return f'{info[key]} (sample {index})'
    except Exception:  # the description must not fail where the sample already has
        pass
    return f'sample {index}'


class SeededDataset(Dataset):
    """Reads samples of a dataset under the seed that comes with each request.

    A sample that raises is replaced by another, chosen from the same seed, and reported with it.
    Attributes of the wrapped dataset (``metainfo``, ``pipeline``, ...) are reachable through this one.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self._generators: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        # Only for names that this class lacks; 'dataset' is absent while a worker unpickles it.
        if name.startswith('__') or name == 'dataset':
            raise AttributeError(name)
        return getattr(self.dataset, name)

    @property
    def pipeline(self) -> Any:
        """The data set's transforms, which mmdet's ``PipelineSwitchHook`` replaces during training."""
        return self.dataset.pipeline

    @pipeline.setter
    def pipeline(self, pipeline: Any) -> None:
        self.dataset.pipeline = pipeline
        self._generators = None

    def __getitem__(self, key: SampleKey) -> Fetched:
        index = key.index
        bad: list[BadSample] = []
        for attempt in range(MAX_REPLACEMENTS + 1):
            self.seed(derive_seed(key.seed, attempt))
            try:
                return Fetched(index, self.dataset[index], tuple(bad))
            # Upstream's readers raise anything for a broken file: OSError, ValueError, KeyError,
            # AssertionError, cv2.error, TypeError on a None image, plain Exception.
            except Exception as error:
                name = describe_sample(self.dataset, index)
                bad.append(BadSample(index, name, f'{type(error).__name__}: {error}'))
                last_error = error
            index = derive_seed(REPLACEMENT, key.seed, attempt) % len(self.dataset)
        raise ValueError(
            f'{len(bad)} samples in a row could not be read, the first of them {bad[0].name}: '
            f'{bad[0].error}. This is not a single broken file: check the paths and the pipeline '
            f'({type(self.dataset).__name__})'
        ) from last_error

    def seed(self, seed: int) -> None:
        """Seed the global generators and those that transforms own."""
        seed_everything(seed)
        if self._generators is None:
            self._generators = find_private_generators(self.dataset)
        for generator in self._generators:
            generator.set_random_seed(seed)


class ResumableBatchSampler:
    """Batches of :class:`SampleKey` from any batch sampler, from any position on.

    A sample's seed follows from (seed, epoch, position in the epoch's order over all ranks); for
    upstream's samplers, which deal their order out to the ranks in turn, it does not depend on the
    number of processes.

    Args:
        inner: Batch sampler; its ``sampler`` is that of the data set.
        seed: Seed of the run, the same on all ranks.
    """

    def __init__(self, inner: Any, seed: int) -> None:
        self.inner = inner
        self.seed = seed
        self.rank, self.world_size = get_dist_info()
        self.epoch = 0
        self.skip = 0
        self.endless = False

    @property
    def sampler(self) -> Any:
        """The sampler below, where hooks look for ``set_epoch``."""
        return getattr(self.inner, 'sampler', self.inner)

    @property
    def batch_size(self) -> int:
        """Samples per batch and process."""
        return self.inner.batch_size

    def __len__(self) -> int:
        return len(self.inner)

    def start_at(self, seed: int, epoch: int, skip: int, endless: bool = False) -> None:
        """Say where the next iteration starts.

        Args:
            seed: Seed of the run.
            epoch: Epoch whose order is used.
            skip: Batches of this order that were consumed before.
            endless: Go on with the next epoch's order when one ends.
        """
        self.seed, self.epoch, self.skip, self.endless = seed, epoch, skip, endless

    def __iter__(self) -> Iterator[list[SampleKey]]:
        skip, epoch = self.skip, self.epoch
        if hasattr(self.sampler, 'seed'):
            self.sampler.seed = self.seed
        while True:
            if hasattr(self.sampler, 'set_epoch'):
                self.sampler.set_epoch(epoch)
            position = self.rank
            for batch in self.inner:
                if skip == 0:
                    yield [
                        SampleKey(
                            int(index),
                            derive_seed(
                                SAMPLE, self.seed, epoch, position + slot * self.world_size
                            ),
                        )
                        for slot, index in enumerate(batch)
                    ]
                else:
                    skip -= 1
                position += len(batch) * self.world_size
            if not self.endless:
                return
            epoch += 1


class _Collate:
    """Collates samples with the config's function and keeps the report of what was broken."""

    def __init__(self, collate: Callable[[list], Any]) -> None:
        self.collate = collate

    def __call__(self, fetched: list[Fetched]) -> Batch:
        return Batch(
            self.collate([sample.data for sample in fetched]),
            [sample.index for sample in fetched],
            [bad for sample in fetched for bad in sample.bad],
        )


class ResumableDataLoader(DataLoader):
    """A loader that starts where :meth:`start_at` says, and counts broken samples.

    Args:
        loader: The loader that mmengine built; it is not iterated.
        seed: Seed of the run, the same on all ranks.
        max_bad_share: Share of the data set that may be broken before the run stops.

    Raises:
        ValueError: The loader has no batch sampler (an iterable dataset) or not one batch, or the share
            is not within 0 and 1.
    """

    def __init__(self, loader: DataLoader, seed: int, max_bad_share: float) -> None:
        if isinstance(loader.dataset, IterableDataset) or loader.batch_sampler is None:
            raise ValueError(
                f'{type(loader.dataset).__name__} cannot be resumed: the training loader needs a '
                'dataset with __getitem__ and __len__, and a batch_size'
            )
        if not len(loader):
            raise ValueError(
                f'the training data set has {len(loader.dataset)} samples, which make no batch '
                f'(batch_size={loader.batch_sampler.batch_size}, '
                f'drop_last={getattr(loader.batch_sampler, "drop_last", False)}): check its paths and '
                'filters, or take a smaller train_dataloader.batch_size'
            )
        if not 0 <= max_bad_share <= 1:
            raise ValueError(f'bad_samples.max_share must lie in [0, 1], got {max_bad_share}')
        workers = {}
        if loader.num_workers > 0:
            workers = {
                'prefetch_factor': loader.prefetch_factor,
                'persistent_workers': loader.persistent_workers,
                'multiprocessing_context': loader.multiprocessing_context,
            }
        super().__init__(
            SeededDataset(loader.dataset),
            batch_sampler=ResumableBatchSampler(loader.batch_sampler, seed),
            num_workers=loader.num_workers,
            collate_fn=_Collate(loader.collate_fn),
            pin_memory=loader.pin_memory,
            timeout=loader.timeout,
            worker_init_fn=loader.worker_init_fn,
            **workers,
        )
        self.max_bad_share = max_bad_share
        self.bad: dict[int, BadSample] = {}
        self.indices: list[int] = []

    def start_at(self, seed: int, epoch: int, skip: int, endless: bool = False) -> None:
        """See :meth:`ResumableBatchSampler.start_at`."""
        self.batch_sampler.start_at(seed, epoch, skip, endless)

    def describe(self, indices: list[int]) -> list[str]:
        """Names of samples, for messages."""
        return [describe_sample(self.dataset.dataset, index) for index in indices]

    def __iter__(self) -> Iterator[Any]:
        """Iterate over collated batches as the config's loader would give them.

        Raises:
            ValueError: More than the allowed share of the data set is broken.
        """
        for batch in super().__iter__():
            self.indices = batch.indices
            for bad in batch.bad:
                self._count(bad)
            yield batch.data

    def _count(self, bad: BadSample) -> None:
        """Remember a broken sample; say so once."""
        if bad.index in self.bad:
            return
        self.bad[bad.index] = bad
        MMLogger.get_current_instance().warning(
            f'training sample replaced: {bad.name}: {bad.error}'
        )
        self.check_share(self.bad)

    def check_share(self, bad: dict[int, BadSample]) -> None:
        """Stop the run when too much is broken.

        Raises:
            ValueError: More than ``max_bad_share`` of the data set is in ``bad``.
        """
        total = len(self.dataset)
        if len(bad) > self.max_bad_share * total:
            listed = '\n'.join(f'  {item.name}: {item.error}' for item in list(bad.values())[:20])
            raise ValueError(
                f'{len(bad)} of {total} training samples are broken, more than the allowed share '
                f'{self.max_bad_share:g}. Fix or remove them, or raise bad_samples.max_share:\n'
                f'{listed}'
            )
