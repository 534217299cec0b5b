# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Training samples of the 308-keypoint pose recipe, from a JPEG to a batch."""

import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from benchmarks.harness import Settings, Stage, Target, compare
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import TRANSFORMS
from torch.utils.data import DataLoader, Dataset

from sapiens_common.layouts.goliath308 import goliath308_metainfo

from .people import NUM_KEYPOINTS, write_photos

_CONFIGS = Path(__file__).resolve().parents[2] / 'configs/pose'
_REFERENCE = "the reference's pipeline"
_OURS = 'this pipeline'
_META_KEYS = ('upper_body_ids', 'lower_body_ids', 'flip_pairs', 'flip_indices', 'dataset_name')
# (height, width) of the photos: COCO's, and those of the public Sapiens sets.
_PHOTOS = {'640 x 480': (640, 480), '4096 x 3072': (4096, 3072)}


class People(Dataset):
    """One person per photo, with keypoints all over it.

    Args:
        photos: JPEG files of one size.
        size: (height, width) of the photos.
        steps: Configs of the pipeline.
    """

    def __init__(self, photos: list[Path], size: tuple[int, int], steps: list[dict]) -> None:
        with DefaultScope.overwrite_default_scope('mmpose'):
            self.steps = [TRANSFORMS.build(step) for step in steps]
        self.photos = photos
        height, width = size
        self.box = np.array([[0.25 * width, 0.1 * height, 0.75 * width, 0.9 * height]], np.float32)
        meta = parse_pose_metainfo(goliath308_metainfo())
        self.meta = {key: meta[key] for key in _META_KEYS}

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Any:
        """A packed sample; a rejected one is drawn anew."""
        while True:
            sample = self._read(index)
            for step in self.steps:
                sample = step(sample) if sample is not None else None
            if sample is not None:
                return sample

    def _read(self, index: int) -> dict[str, Any]:
        """What a reader of annotations gives."""
        low, high = self.box[:, :2], self.box[:, 2:]
        random = np.random.default_rng(index)
        points = low + (high - low) * random.uniform(size=(1, NUM_KEYPOINTS, 2))
        return {
            'id': index,
            'img_id': index,
            'img_path': str(self.photos[index]),
            'bbox': self.box.copy(),
            'bbox_score': np.ones(1, np.float32),
            'category_id': 1,
            'iscrowd': 0,
            'keypoints': points.astype(np.float32),
            'keypoints_visible': np.ones((1, NUM_KEYPOINTS), np.float32),
            **self.meta,
        }


def reference_steps(steps: list[dict]) -> list[dict]:
    """The same augmentation by mmpose's own transforms, with heatmaps made by the loader."""
    codec = next(step['codec'] for step in steps if 'codec' in step)
    upstream = {
        'sapiens_pose.LoadPersonImage': {'type': 'LoadImage'},
        'sapiens_common.ColourDistortion': {'type': 'PhotometricDistortion'},
    }
    found = []
    for step in steps:
        kind = step['type']
        if kind == 'sapiens_pose.RejectFewKeypoints':
            continue
        if kind == 'sapiens_pose.PackKeypoints':
            found.append({'type': 'GenerateTarget', 'encoder': {**codec, 'type': 'UDPHeatmap'}})
            found.append({'type': 'PackPoseInputs'})
        elif kind == 'sapiens_pose.DecodeTopdownAffine':
            found.append({**step, 'type': 'TopdownAffine'})
        else:
            found.append(upstream.get(kind, step))
    return found


def run(settings: Settings) -> Stage:
    """Time one core making samples, and workers shipping batches; weigh what they ship."""
    name = 'sapiens_tiny_goliath.py' if settings.quick else 'sapiens_1b_goliath.py'
    steps = Config.fromfile(_CONFIGS / name).train_pipeline
    stage = Stage(
        'data', 'Training samples with 308 keypoints at 1024 x 768: JPEG, augmentation, packing.'
    )
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)  # as mmengine sets it for training
    with tempfile.TemporaryDirectory() as folder:
        for label, size in _PHOTOS.items():
            if settings.quick:
                size = (size[0] // 8, size[1] // 8)
            photos = write_photos(Path(folder), 2 if settings.quick else 4, size)
            sets = {
                _REFERENCE: People(photos, size, reference_steps(steps)),
                _OURS: People(photos, size, steps),
            }
            if not stage.targets:
                stage.targets.append(_weigh(sets, stage))
            stage.comparisons.append(
                compare(
                    f'one sample from a photo of {label}, one core',
                    {way: _all(people) for way, people in sets.items()},
                    settings,
                    baseline=_REFERENCE,
                    unit='sample',
                    items=len(photos),
                    dtype='uint8',
                )
            )
            rate = 1 / stage.comparisons[-1][_OURS].per_item
            stage.facts[f'images per second per core, {label}'] = round(rate, 1)
            if label == '640 x 480':
                stage.comparisons.append(_loader(sets, settings))
    cv2.setNumThreads(threads)
    return stage


def _weigh(sets: dict[str, People], stage: Stage) -> Target:
    """Bytes of a sample on their way from a worker."""
    sizes = {name: len(pickle.dumps(people[0])) for name, people in sets.items()}
    for name, size in sizes.items():
        stage.facts[f'megabytes of a pickled sample, {name}'] = round(size / 1e6, 3)
    return Target('megabytes of a pickled sample', 3.0, sizes[_OURS] / 1e6, at_most=True)


def _all(people: People) -> Callable[[], None]:
    """Make every sample once, the same augmentations each time."""

    def job() -> None:
        np.random.seed(0)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as in a loader's worker
        for index in range(len(people)):
            people[index]
        torch.set_num_threads(threads)

    return job


def _loader(sets: dict[str, People], settings: Settings) -> Any:
    """Batches through worker processes, as a training loop gets them."""
    repeated = {
        name: torch.utils.data.ConcatDataset([people] * (1 if settings.quick else 8))
        for name, people in sets.items()
    }
    loaders = {
        name: DataLoader(
            people,
            batch_size=4,
            num_workers=settings.workers,
            collate_fn=pseudo_collate,
            persistent_workers=True,
        )
        for name, people in repeated.items()
    }
    return compare(
        f'batches of 4 from {settings.workers} workers, photos of 640 x 480',
        {name: lambda loader=loader: [None for _ in loader] for name, loader in loaders.items()},
        settings,
        baseline=_REFERENCE,
        unit='sample',
        items=len(repeated[_OURS]),
        dtype='uint8',
        rounds=5,
    )
