# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Everything that the labels depend on. It is stored in the output folder and compared by every later start."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sapiens_inference.outputs.summary import library_versions

from .storage import Storage

SETTINGS = 'settings.json'
FORMAT = 1
"""Version of the output folder's layout; readers refuse another."""

BUILDER = 'sapiens_inference.annotate.models:build_tasks'


@dataclass(frozen=True)
class Settings:
    """How inputs are labelled.

    Attributes:
        weights: Checkpoint file or published name by task, in the order in which the tasks run.
        models: Config by task, where it is not inferred from the checkpoint.
        boxes: 'image', 'detector', a JSON file of boxes, or None: the detector where a task needs boxes.
        crops: Whether dense tasks run person by person.
        detector: Config, checkpoint and least score of the person detector; empty for the default one.
        options: The inferencers' own options by task, such as ``keypoints`` and ``flip_test`` of pose.
        batch_size: Model inputs per batch. Batches never cross shards, so a shard comes out the same
            whenever and wherever it is made.
        device: Where the models run: ``cpu`` or ``cuda``.
        dtype: Precision of the models.
        threads: CPU threads of the model in each worker: sums are rounded differently with another number.
        per_shard: Photos per shard.
        range_seconds: Length of the ranges that videos are cut into.
        images: ``copy`` puts the photos into the shards, ``refer`` leaves them where they are (frames of videos are
            copied anyway).
        low_score: Mean keypoint score below which an image is flagged.
        builder: ``module:function`` that makes the tasks from these settings, in each worker.
    """

    weights: dict[str, str]
    models: dict[str, str] = field(default_factory=dict)
    boxes: str | None = None
    crops: bool = False
    detector: dict[str, Any] = field(default_factory=dict)
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    batch_size: int = 8
    device: str = 'cpu'
    dtype: str = 'float32'
    threads: int = 1
    per_shard: int = 256
    range_seconds: float = 60.0
    images: str = 'copy'
    low_score: float = 0.3
    builder: str = BUILDER

    def __post_init__(self) -> None:
        for name in ('batch_size', 'threads', 'per_shard'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} must be at least 1, got {getattr(self, name)}')
        if self.range_seconds <= 0:
            raise ValueError(f'range_seconds must be above 0, got {self.range_seconds}')
        if self.images not in ('copy', 'refer'):
            raise ValueError(f"images {self.images!r}: expected 'copy' or 'refer'")

    def described(self, place: str) -> dict[str, Any]:
        """All that the output depends on: these settings, hashes of the files they name, and versions.

        Args:
            place: The input.
        """
        files = [*self.weights.values(), *self.models.values(), self.boxes]
        files += [self.detector.get('weights'), self.detector.get('model')]
        hashes = {str(file): digest for file in files if file and (digest := _hash_of(str(file)))}
        return {
            'format': FORMAT,
            'input': place,
            **asdict(self),
            'sha256': hashes,
            'versions': library_versions(),
        }


def _hash_of(name: str) -> str | None:
    """SHA-256 of a file or of weights by address or published name; None for what is not one of these."""
    from sapiens_common.weights import find_weights, is_published, sha256_of

    if Path(name).is_file():
        return sha256_of(Path(name))
    return sha256_of(find_weights(name)) if '://' in name or is_published(name) else None


def check_settings(storage: Storage, described: dict[str, Any]) -> str:
    """Write the settings down, or compare them with those of an earlier start.

    Returns:
        Their SHA-256, by which shards name them.

    Raises:
        ValueError: The folder was begun with others.
        StorageError: It cannot be written.
    """
    text = json.dumps(described, indent=2, sort_keys=True, default=str) + '\n'
    if storage.exists(SETTINGS):
        there = json.loads(storage.read(SETTINGS))
        here = json.loads(text)
        changed = [k for k in sorted({*there, *here}) if there.get(k) != here.get(k)]
        if changed:
            lines = [f'{k}: {there.get(k)!r} there, {here.get(k)!r} here' for k in changed]
            raise ValueError(
                f'{storage.place} was begun with other settings ({"; ".join(lines)}). Labels of different '
                'settings do not share a folder: choose another, or give the settings of the first start'
            )
    else:
        storage.write(SETTINGS, text.encode())
    return hashlib.sha256(text.encode()).hexdigest()
