# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The config that fits a checkpoint, told from the shapes of its tensors."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from sapiens_common.checkpoint import read_checkpoint
from sapiens_common.weights import find_config

_SIZES = {192: 'tiny', 1024: '0.3b', 1280: '0.6b', 1536: '1b', 1920: '2b'}
_POSE = {17: 'coco', 133: 'coco_wholebody', 308: 'goliath'}
_SEG = {28: 'goliath', 20: 'lip', 19: 'face', 2: 'foreground'}
_DATA = {'depth': 'render_people', 'normal': 'render_people'}


def guess_config(weights: str | Path, task: str) -> Path:
    """The shipped config of a checkpoint of this suite's own architectures.

    Args:
        weights: Checkpoint file.
        task: pose, seg, depth or normal.

    Raises:
        ValueError: The checkpoint is of another task, or of no shipped architecture.
    """
    tensors = read_checkpoint(weights).state_dict
    patch = tensors.get('backbone.patch_embed.projection.weight')
    if patch is None or patch.shape[0] not in _SIZES:
        raise ValueError(
            f'{weights}: no encoder of a shipped size in it; name the config as the model'
        )
    size = _SIZES[patch.shape[0]]
    found, data = _task_of(tensors, task)
    if found != task or data is None:
        raise ValueError(
            f'{weights}: this is a checkpoint for {found}, not one for {task} with a shipped config; '
            'name the config as the model'
        )
    return find_config(f'sapiens_{size}/{task}_{data}')


def _task_of(tensors: dict[str, Tensor], task: str) -> tuple[str, str | None]:
    """Task and data of a checkpoint; one output channel is depth, three are normals."""
    final = tensors.get('head.final_layer.weight')
    if final is not None:
        return 'pose', _POSE.get(final.shape[0])
    final = tensors.get('decode_head.conv_seg.weight')
    if final is None:
        multitask = any(name.startswith('tasks.') for name in tensors)
        return 'multitask' if multitask else 'another task', None
    channels = final.shape[0]
    if channels in (1, 3):
        found = 'depth' if channels == 1 else 'normal'
        return found, _DATA[found]
    return 'seg', _SEG.get(channels)
