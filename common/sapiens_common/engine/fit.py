# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Whether the parts of a recipe fit each other, found out before the first image is read."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from torch import nn

Size = tuple[int, int]


def check_fit(model: nn.Module, config: Config) -> None:
    """Compare the encoder with the heads, and with the images that the training pipeline makes.

    Models without an encoder of a fixed input size (``backbone.img_size``) pass.

    Args:
        model: Built from the config.
        config: Of the run.

    Raises:
        ValueError: A head takes other features, or the pipeline makes images of another size.
    """
    backbone = getattr(model, 'backbone', None)
    built, width = getattr(backbone, 'img_size', None), getattr(backbone, 'embed_dims', None)
    if not isinstance(built, (tuple, list)) or not isinstance(width, int):
        return
    size: Size = (built[0], built[1])
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
    made = _output_size(_training_pipeline(config))
    if made is not None and made != size:
        raise ValueError(_message('train_dataloader.dataset.pipeline', made, size))


def _message(place: str, made: Size, size: Size) -> str:
    return (
        f'{place} makes images of {made[0]} x {made[1]}, the encoder is built for {size[0]} x {size[1]} '
        '(height x width, model.backbone.img_size). A size card brings its own input size: start from a '
        'leaf of that size, which has the pipelines and the head that belong to it'
    )


def _heads(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name in ('head', 'decode_head'):
        head = getattr(model, name, None)
        if isinstance(head, nn.Module):
            yield name, head


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
