# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Reading every sample of a data set as training would, and a sheet of what the model will see."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader, Dataset

from sapiens_common.progress import Progress
from sapiens_common.visualization import sheet
from sapiens_common.visualization.samples import sample_pictures
from sapiens_train.data import SeededDataset, describe_sample
from sapiens_train.seeding import SAMPLE, derive_seed

from .report import DataAudit


class _Tried(Dataset):
    """Index -> problem text, or empty: samples themselves stay in the worker."""

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = dataset
        self.seeded = SeededDataset(dataset)
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> str:
        self.seeded.seed(derive_seed(SAMPLE, self.seed, index))
        try:
            self.dataset[index]
        # Whatever a reader raises for a bad file is what this tool is there to list.
        except Exception as error:
            name = describe_sample(self.dataset, index)
            return f'{name}: {type(error).__name__}: {error}'
        return ''


def audit_samples(dataset: Any, workers: int = 4, seed: int = 0) -> DataAudit:
    """Read every sample through its pipeline, in parallel, with a progress bar.

    Args:
        dataset: A built data set.
        workers: Processes that read.
        seed: Seed of the augmentations.
    """
    loader = DataLoader(
        _Tried(dataset, seed), batch_size=8, num_workers=workers, collate_fn=lambda texts: texts
    )
    problems: list[str] = []
    with Progress(total=len(dataset), unit='sample') as progress:
        for texts in loader:
            problems += [text for text in texts if text]
            progress.update(len(texts))
    return DataAudit(f'{len(dataset)} samples, {len(problems)} cannot be read', problems)


def build_dataset(settings: Mapping[str, Any]) -> Any:
    """Build a data set from its config, in mmengine's current scope.

    Raises:
        ValueError: A reader refuses the data as a whole (a folder is missing, say).
    """
    dataset = DATASETS.build(dict(settings))
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return dataset


def sample_sheet(dataset: Any, count: int = 12, seed: int = 0) -> np.ndarray | None:
    """A sheet of random samples as the model gets them, with their targets drawn.

    Args:
        dataset: A built data set with its training pipeline.
        count: Pictures.
        seed: Which samples, and of their augmentations.

    Returns:
        uint8 (H, W, 3) BGR, or None when no sample can be read.
    """
    order = np.random.default_rng(seed).permutation(len(dataset))
    seeded = SeededDataset(dataset)
    pictures: list[tuple[str, np.ndarray]] = []
    for index in order[: 4 * count]:
        if len(pictures) == count:
            break
        seeded.seed(derive_seed(SAMPLE, seed, int(index)))
        try:
            packed = dataset[int(index)]
        except Exception:  # listed by audit_samples
            continue
        pictures.append((f'sample {index}', draw_sample(packed, dataset)))
    return sheet(pictures) if pictures else None


def draw_sample(packed: dict[str, Any], dataset: Any) -> np.ndarray:
    """One packed sample: its image, and beside it each target that it has.

    Args:
        packed: ``inputs`` (3, H, W) and ``data_samples`` with keypoints, labels, depth, normals, albedo or a matte.
        dataset: For the names of links and classes.

    Returns:
        uint8 (H, W, 3) BGR.
    """
    image = np.ascontiguousarray(packed['inputs'].permute(1, 2, 0).to(torch.uint8).numpy())
    meta = getattr(dataset, 'metainfo', {}) or {}
    pictures = sample_pictures(image, packed.get('data_samples'), meta)
    if not pictures or pictures[0][0] != 'keypoints':  # which are drawn on the image itself
        pictures.insert(0, ('photo', image))
    return np.concatenate([picture for _, picture in pictures], axis=1)
