# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The config that fits a checkpoint, inferred from the shapes of its tensors."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from torch import Tensor

from sapiens_common.checkpoint import read_checkpoint
from sapiens_common.weights import config_root, find_config
from sapiens_inference.tasks import TASKS


def guess_config(weights: str | Path, task: str) -> Path:
    """The shipped config of a checkpoint of this suite's own architectures.

    Args:
        weights: Checkpoint file.
        task: A name of :data:`sapiens_inference.tasks.TASKS`.

    Raises:
        ValueError: The checkpoint is of another task, or of no shipped architecture.
    """
    tensors = read_checkpoint(weights).state_dict
    size = _size_of(tensors)
    if size is None:
        raise ValueError(
            f'{weights}: no encoder of a shipped size in it; name the config as the model'
        )
    found, data = _task_of(tensors)
    if found != task or data is None:
        raise ValueError(
            f'{weights}: this is a checkpoint for {found}, not one for {task} with a shipped config; '
            'name the config as the model'
        )
    return find_config(f'{size}/{task}_{data}')


def _size_of(tensors: dict[str, Tensor]) -> str | None:
    """Name of the encoder's size card, such as ``sapiens_1b``; None for other encoders."""
    patch = tensors.get('backbone.patch_embed.projection.weight')
    if patch is None:
        return None
    family = 'sapiens2_' if 'backbone.storage_tokens' in tensors else 'sapiens_'
    for card in sorted((config_root() / '_base_/sizes').glob(f'{family}*.py')):
        if Config.fromfile(str(card)).get('embed_dims') == patch.shape[0]:
            return card.stem
    return None


def _task_of(tensors: dict[str, Tensor]) -> tuple[str, str | None]:
    """Task and data of a checkpoint, inferred from the number of its output channels."""
    if any(name.startswith('tasks.') for name in tensors):
        return 'multitask', None
    for task in TASKS.values():
        for name, data_of in task.heads.items():
            if name in tensors and tensors[name].shape[0] in data_of:
                return task.name, data_of[tensors[name].shape[0]]
    return 'another task', None
