# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Photos to keypoints: files, boxes, crops, model, decoding."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.harness import Comparison, Settings, Stage, Target, compare
from mmengine.config import Config
from mmpose.apis import inference_topdown
from mmpose.apis.inference import dataset_meta_from_config
from mmpose.registry import KEYPOINT_CODECS

from sapiens_inference.engine.models import build_model
from sapiens_pose.apis import PoseInferencer

from .models import recipe
from .people import write_photos

_BASELINE = "mmpose's inference_topdown, float32"
_WORKERS = 4
# (photos, people per photo)
_CROWDS = ((16, 4), (16, 1), (1, 64))

_FLAT = 'cost per person of 64 on one photo, in units of one on each of 16'


def run(settings: Settings) -> Stage:
    """Time a folder of photos with given boxes, and tell how long the model waits."""
    stage = Stage(
        'inference',
        'Photos of 640 x 480 with given boxes, 308 keypoints, no flip test, random weights, '
        f'{_WORKERS} workers. The detector and drawing are left out.',
    )
    sizes = settings.sizes or (
        ('0.3b', '0.6b', '1b', '2b') if settings.on_gpu else ('tiny', '0.3b')
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in settings.sizes or ('tiny',) if settings.quick else sizes:
            # A large model takes half a minute per person on a CPU.
            slow = not settings.on_gpu and not size.endswith('tiny')
            crowds = ((2, 2),) if settings.quick else ((1, 1),) if slow else _CROWDS
            for batch in settings.batches or (16,):
                for photos, people in crowds:
                    given = _photos(folder, photos, people, settings)
                    _measure(stage, size, batch, given, settings)
                if crowds == _CROWDS:
                    stage.facts[f'{size}, batch {batch}: {_FLAT}'] = _flatness(stage)
    stage.notes.append(
        'The share of time in which the model waits is 1 - (time inside the model, decoding included) / '
        "(time of the run). The baseline is the loop of the reference's demo: one image after another, "
        'each box read and cropped on its own, heatmaps decoded per person in NumPy. The difference is the '
        'share of keypoints more than half a pixel apart.'
    )
    return stage


def _flatness(stage: Stage) -> float:
    """Cost per person in the crowd of the last comparison over that of the one before, in float32."""
    alone, crowd = stage.comparisons[-2:]
    return crowd.cases[1].per_item / alone.cases[1].per_item


def _photos(folder: Path, count: int, people: int, settings: Settings) -> dict[str, np.ndarray]:
    """Boxes xyxy (people, 4) of each photo, by path."""
    size = (120, 90) if settings.quick else (640, 480)
    random = np.random.default_rng(0)
    found = {}
    for path in write_photos(folder, count, size):
        corner = random.uniform(0, 0.5, (people, 2)) * (size[1], size[0])
        extent = random.uniform(0.3, 0.5, (people, 2)) * (size[1], size[0])
        found[str(path)] = np.hstack([corner, corner + extent]).astype(np.float32)
    return found


def _counted(photos: dict[str, np.ndarray]) -> str:
    """How many photos and people there are, as many on each."""
    count, people = len(photos), len(next(iter(photos.values())))
    who = '1 person' if people == 1 else f'{people} people'
    return f'1 photo, {who}' if count == 1 else f'{count} photos, {who} on each'


def _measure(
    stage: Stage, size: str, batch: int, photos: dict[str, np.ndarray], settings: Settings
) -> None:
    """Add the comparison of one size and batch size, and what the engine says of its waiting."""
    config = Config.fromfile(recipe('pose', size))
    config.model.test_cfg.flip_test = False
    torch.manual_seed(0)
    model = build_model(config)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / 'random.pth'
        torch.save({'state_dict': model.state_dict(), 'meta': {}}, weights)
        ways: dict[str, Callable[[], Any]] = {
            _BASELINE: _per_image(model, config, photos, settings)
        }
        waiting: dict[str, list[float]] = {}
        slow = not settings.on_gpu and not size.endswith('tiny')
        for dtype in ('bfloat16',) if slow else ('float32', 'bfloat16'):
            infer = PoseInferencer(
                config,
                weights,
                device=settings.device,
                dtype=dtype,
                compile=bool(settings.compile_mode),
                workers=_WORKERS,
            )
            name = f'PoseInferencer, {dtype}, batch {batch}'
            waiting[name] = []
            ways[name] = _engine(infer, photos, batch, waiting[name], dtype == 'float32')
    found: Comparison = compare(
        f'pose {size}, {_counted(photos)}',
        ways,
        settings,
        baseline=_BASELINE,
        unit='person',
        dtype={name: 'bfloat16' if 'bfloat16' in name else 'float32' for name in ways},
        difference=_moved,
        tolerance=0.02,
        items=sum(map(len, photos.values())),
        rounds=1 if slow else 5,
    )
    stage.comparisons.append(found)
    for name, shares in waiting.items():
        share = float(np.median(shares))
        what = f'{found.job}, {name}: share of the time in which the model waits'
        if len(photos) >= batch:
            stage.targets.append(Target(what, 0.1, share, at_most=True))
        else:
            stage.facts[what] = share


def _engine(
    infer: PoseInferencer,
    photos: dict[str, np.ndarray],
    batch: int,
    waiting: list[float],
    comparable: bool,
) -> Callable[[], dict[str, np.ndarray] | None]:
    """The engine of this suite over the folder."""
    boxes = {path: xyxy.tolist() for path, xyxy in photos.items()}

    def job() -> dict[str, np.ndarray] | None:
        results = infer(list(photos), boxes=boxes, batch_size=batch)
        found = {result.source.path: result.keypoints for result in results}
        summary = infer.summary
        waiting.append(1 - summary.seconds['pose model'] / summary.wall_seconds)
        return found if comparable else None

    return job


def _per_image(
    model: Any, config: Config, photos: dict[str, np.ndarray], settings: Settings
) -> Callable[[], dict[str, np.ndarray]]:
    """Upstream's loop with upstream's decoder."""
    model.eval().to(settings.device)
    model.head.decoder = KEYPOINT_CODECS.build({**config.codec, 'type': 'mmpose.UDPHeatmap'})
    model.dataset_meta = dataset_meta_from_config(config, 'test')

    def job() -> dict[str, np.ndarray]:
        return {
            path: np.concatenate(
                [s.pred_instances.keypoints for s in inference_topdown(model, path, boxes)]
            )
            for path, boxes in photos.items()
        }

    return job


def _moved(found: dict[str, np.ndarray] | None, expected: dict[str, np.ndarray]) -> float | None:
    """Share of keypoints more than half a pixel apart; None where they are not to be compared.

    Random weights give maps with many equal peaks, where rounding chooses another one now and then.
    """
    if found is None:
        return None
    apart = [np.abs(points - expected[path]).max(axis=-1) > 0.5 for path, points in found.items()]
    return float(np.mean(apart))
