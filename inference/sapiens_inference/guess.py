# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The config that fits a checkpoint: the one it carries, or one inferred from its tensors."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import Tensor

from sapiens_common.checkpoint import read_checkpoint
from sapiens_common.checkpoint_names import from_published, is_sapiens2
from sapiens_common.weights import config_root, find_config
from sapiens_inference.engine.stored_config import read_stored_config
from sapiens_inference.tasks import MULTITASK, TASKS

PATCH = 16
"""Pixels of a patch's side."""


def config_of(weights: str | Path, task: str) -> Config:
    """The config of a checkpoint that was given without one; a guess is logged with its input size.

    Checkpoints of this suite's training carry theirs. For others the shipped config of the same encoder,
    task and number of outputs is taken.

    Args:
        weights: Checkpoint file.
        task: A name of :data:`sapiens_inference.tasks.TASKS`, or ``multitask``.

    Raises:
        ValueError: The checkpoint is of another task, or of no shipped architecture, or was trained with
            another input size than the shipped config.
    """
    logger = MMLogger.get_current_instance()
    content = read_checkpoint(weights)
    stored = content.meta.get('cfg')
    if isinstance(stored, str):
        config = read_stored_config(stored, str(weights))
        if 'model' in config:
            _check_task(config, content.state_dict, str(weights), task)
            logger.info(f'{weights}: with the config it carries, {_input_of(config)}')
            return config
    path = guess_config(str(weights), task, content.state_dict)
    config = Config.fromfile(str(path))
    logger.warning(f'{weights}: carries no config; taken as {path.stem}, {_input_of(config)}')
    return config


def guess_config(weights: str, task: str, tensors: dict[str, Tensor]) -> Path:
    """The shipped config that fits the tensors of a checkpoint.

    Args:
        weights: The checkpoint, for messages.
        task: As in :func:`config_of`.
        tensors: Its content by name.

    Raises:
        ValueError: As :func:`config_of`.
    """
    tensors = from_published(tensors)
    size = _size_of(tensors)
    if size is None:
        raise ValueError(
            f'{weights}: no encoder of a shipped size in it; name the config as the model'
        )
    found, data = _task_of(tensors)
    if found != task:
        raise ValueError(
            f'{weights}: this is a checkpoint for {found}, not one for {task}; take the task {found}, '
            'or name the config as the model'
        )
    if data is None:
        raise ValueError(
            f'{weights}: which config a {found} checkpoint belongs to cannot be inferred from its '
            'weights; name the config as the model'
        )
    path = find_config(f'{size}/{task}_{data}')
    _check_grid(Config.fromfile(str(path)), tensors, str(weights))
    return path


def _input_of(config: Config) -> str:
    size = config.model.get('backbone', {}).get('img_size')
    return f'input {size[0]} x {size[1]} pixels (height x width)' if size else 'input of any size'


def _check_task(config: Config, tensors: dict[str, Tensor], weights: str, task: str) -> None:
    """Check that a stored config is one of the task.

    Raises:
        ValueError: It is of a multitask model without the task, or has no head of the task.
    """
    tasks = config.model.get('tasks')
    if tasks is not None:
        if task not in (*tasks, MULTITASK.name):
            raise ValueError(
                f'{weights}: a multitask model for {", ".join(tasks)}; it has no {task}'
            )
        return
    found = _task_of(tensors)[0]
    own = task != MULTITASK.name and TASKS[task].heads.keys() & tensors.keys()
    if not own or (found in TASKS and found != task):
        raise ValueError(f'{weights}: this is a checkpoint for {found}, not one for {task}')


def _check_grid(config: Config, tensors: dict[str, Tensor], weights: str) -> None:
    """Check that the encoder's table of positions belongs to the config's input size.

    Raises:
        ValueError: It does not; loading would resize it, and the input would be another than in training.
    """
    table = tensors.get('backbone.pos_embed')
    size = config.model.backbone.get('img_size')
    if table is None or size is None:
        return
    patches = (size[0] // PATCH) * (size[1] // PATCH)
    if table.shape[1] not in (patches, patches + 1):
        raise ValueError(
            f'{weights}: was trained with {table.shape[1]} patches, and {Path(config.filename).stem}, which '
            f'has the same encoder and outputs, takes {patches} ({_input_of(config)}); the input size '
            'cannot be inferred, name the config as the model'
        )


def _size_of(tensors: dict[str, Tensor]) -> str | None:
    """Name of the encoder's size card, such as ``sapiens_1b``; None for other encoders."""
    patch = tensors.get('backbone.patch_embed.projection.weight')
    if patch is None:
        return None
    family = 'sapiens2_' if is_sapiens2(tensors) else 'sapiens_'
    windows = any(name.startswith('backbone.tokenizer') for name in tensors)  # the 4K encoder
    for path in sorted((config_root() / '_base_/sizes').glob(f'{family}*.py')):
        card = Config.fromfile(str(path))
        same = card.get('embed_dims') == patch.shape[0]
        if same and windows == bool(card.get('tokenizer_window')):
            return path.stem
    return None


def _task_of(tensors: dict[str, Tensor]) -> tuple[str, str | None]:
    """Task and data of a checkpoint, inferred from the number of its output channels."""
    if any(name.startswith('tasks.') for name in tensors):
        return MULTITASK.name, None
    found: tuple[str, str | None] = 'another task', None
    for task in TASKS.values():
        for name, data_of in task.heads.items():
            if name in tensors and tensors[name].shape[0] in data_of:
                found = task.name, data_of[tensors[name].shape[0]]
    return found
