# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Whether the parts of a recipe fit each other, found out before the first image is read."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from torch import nn
from torch.func import functional_call

Size = tuple[int, int]


def check_fit(model: nn.Module, config: Config, training: bool = True) -> None:
    """Compare the encoder with the heads, and with the images that the training pipeline makes.

    Models without an encoder of a fixed input size (``backbone.img_size``) pass.

    Args:
        model: Built from the config.
        config: The run's config.
        training: Whether the training pipeline is going to be used.

    Raises:
        ValueError: A head takes other features, makes other maps than its decoder reads, or the pipeline
            makes images of another size.
    """
    backbone = getattr(model, 'backbone', None)
    built, width = getattr(backbone, 'img_size', None), getattr(backbone, 'embed_dims', None)
    if not isinstance(built, (tuple, list)) or not isinstance(width, int):
        return
    size: Size = (built[0], built[1])
    patch = getattr(backbone, 'patch_size', None)
    for name, head in _heads(model):
        channels = getattr(head, 'in_channels', None)
        if isinstance(channels, int) and channels != width:
            raise ValueError(
                f'model.{name}.in_channels is {channels}, the encoder gives {width} channels; the size card '
                'and the head must be of one size: model.head.in_channels=_base_.embed_dims'
            )
        made = getattr(getattr(head, 'decoder', None), 'input_size', None)
        if made is not None and tuple(made)[::-1] != size:
            raise ValueError(_message(f'model.{name}.decoder.input_size', tuple(made)[::-1], size))
        wanted = getattr(getattr(head, 'decoder', None), 'heatmap_size', None)
        if wanted is not None and isinstance(patch, int):
            found = _map_size(head, width, (size[0] // patch, size[1] // patch))
            if found != tuple(wanted)[::-1]:
                raise ValueError(
                    f'model.{name} makes heatmaps of {found[0]} x {found[1]}, its decoder.heatmap_size is '
                    f'{wanted[1]} x {wanted[0]} (height x width); the latter must be the former'
                )
    made = _output_size(_training_pipeline(config)) if training else None
    if made is not None and made != size:
        raise ValueError(_message('train_dataloader.dataset.pipeline', made, size))


def _map_size(head: nn.Module, channels: int, features: Size) -> Size:
    """(height, width) of what a head makes of a feature map; nothing is computed for it."""
    weights = {
        name: torch.empty(value.shape, dtype=value.dtype, device='meta')  # whole, of split ones too
        for name, value in head.state_dict().items()
    }
    image = torch.empty(1, channels, *features, device='meta')
    with torch.no_grad():
        height, width = functional_call(head, weights, ((image,),)).shape[-2:]
    return height, width


def _message(place: str, made: Size, size: Size) -> str:
    return (
        f'{place} makes images of {made[0]} x {made[1]}, the encoder is built for {size[0]} x {size[1]} '
        '(height x width, model.backbone.img_size). A size card brings its own input size: start from a '
        'leaf of that size, which has the pipelines and the head that belong to it'
    )


def _heads(model: nn.Module, place: str = '') -> Iterator[tuple[str, nn.Module]]:
    """The heads of a model, and of the tasks of a multitask model, with their places in its config."""
    for name in ('head', 'decode_head'):
        head = getattr(model, name, None)
        if isinstance(head, nn.Module):
            yield f'{place}{name}', head
    tasks = getattr(model, 'tasks', None)
    for name, task in tasks.items() if isinstance(tasks, nn.ModuleDict) else ():
        yield from _heads(task, f'tasks.{name}.')


def _training_pipeline(config: Config) -> list[Any]:
    node: Any = config.get('train_dataloader') or {}
    while node and 'pipeline' not in node:
        node = node.get('dataset') or next(iter(node.get('datasets') or []), None)
    return list(node['pipeline']) if node else []


def _output_size(pipeline: list[Any]) -> Size | None:
    """(height, width) of what a pipeline makes, as far as its transforms fix it."""
    size = None
    for step in pipeline:
        if 'input_size' in step:  # mmpose: (width, height)
            size = tuple(step['input_size'])[::-1]
        elif 'crop_size' in step:
            size = tuple(step['crop_size'])
        elif step.get('type', '').endswith('Resize') and step.get('keep_ratio') is False:
            size = tuple(step['scale'])[::-1]
        elif isinstance(step.get('size'), (tuple, list)) and len(step['size']) == 2:
            size = tuple(step['size'])
    return size


_NAMES = {
    **dict.fromkeys(
        ('mmpose.CocoMetric', 'mmpose.CocoWholeBodyMetric'),
        ('AP', 'AP .5', 'AP .75', 'AP (M)', 'AP (L)', 'AR', 'AR .5', 'AR .75', 'AR (M)', 'AR (L)'),
    ),
    **dict.fromkeys(
        ('mmseg.IoUMetric',),
        ('aAcc', 'mIoU', 'mAcc', 'mDice', 'mFscore', 'mPrecision', 'mRecall'),
    ),
}
"""Figures of upstream's metrics by library and class, as mmdet has a CocoMetric of its own; the suite's own have ``gives``; of others the prefix alone is known."""


def check_save_best(wanted: str | list[str] | None, metrics: list[BaseMetric]) -> None:
    """Check that the figures which best checkpoints are chosen by are among those of the metrics.

    Args:
        wanted: ``save_best`` of the checkpoint hook; ``auto`` fits anything.
        metrics: Metrics of the validation by name.

    Raises:
        ValueError: A figure is not among them.
    """
    for name in [wanted] if isinstance(wanted, str) else wanted or []:
        if name != 'auto' and not any(_may_give(metric, name) for metric in metrics):
            known = ', '.join(_described(metric) for metric in metrics)
            raise ValueError(
                f'default_hooks.checkpoint.save_best={name!r}: no metric of val_evaluator has it; there are '
                f'{known}'
            )


def _may_give(metric: BaseMetric, name: str) -> bool:
    """Whether a metric gives a figure, as far as its own ``gives`` or the table of upstream's tell."""
    prefix = f'{metric.prefix}/' if metric.prefix else ''
    figure = name.removeprefix(prefix)
    if not name.startswith(prefix):
        return False
    if hasattr(metric, 'gives'):
        return metric.gives(figure)
    names = _names_of(metric)
    return figure in names if names else '/' not in figure


def _names_of(metric: BaseMetric) -> tuple[str, ...]:
    """What the table of upstream's metrics says of a metric or of those it is derived from."""
    kinds = (f'{kind.__module__.split(".")[0]}.{kind.__name__}' for kind in type(metric).__mro__)
    return next((_NAMES[kind] for kind in kinds if kind in _NAMES), ())


def _described(metric: BaseMetric) -> str:
    prefix = f'{metric.prefix}/' if metric.prefix else ''
    names = _names_of(metric) or ('...',)
    return f'{type(metric).__name__} with ' + ', '.join(f'{prefix}{name}' for name in names)
