# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Parameter names of Sapiens2 models: ours, those of the published files, and those in transformers.

Models of this suite keep OpenMMLab's names where a library's class brings them: ``head.`` and ``final_layer``
in mmpose, ``conv_seg`` in mmseg. Published files of Sapiens2 have ``decode_head.`` for every task, and one
name of the output layer per task; those of the first generation have our names. Encoders are named alike.
All functions take any mapping of names, so that shapes can be renamed as well as tensors.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar('T')

_ENCODER = 'blocks.0.attn.wq.weight'
_OUTPUTS = {
    'pose': 'conv_pose',
    'seg': 'conv_seg',
    'normal': 'conv_normal',
    'albedo': 'conv_albedo',
    'pointmap': 'conv_pointmap',
    'matting': 'conv_matting',
}
"""Published name of the output layer by task; in this order transformers' ``predictor`` is read."""


def is_sapiens2(names: Mapping[str, object]) -> bool:
    """Whether names are those of a Sapiens2 encoder, alone or in a model."""
    return _ENCODER in names or f'backbone.{_ENCODER}' in names


def from_published(content: Mapping[str, T]) -> dict[str, T]:
    """The names that our models have. Names that are ours already stay."""
    task = next((task for task, name in _OUTPUTS.items() if _has(content, name)), None)
    if task is None or not is_sapiens2(content):
        return dict(content)
    ours = 'head.final_layer.' if task == 'pose' else 'decode_head.conv_seg.'
    rest = 'head.' if task == 'pose' else 'decode_head.'

    def rename(name: str) -> str:
        output = f'decode_head.{_OUTPUTS[task]}.'
        if name.startswith(output):
            return ours + name.removeprefix(output)
        if name.startswith('decode_head.'):
            return rest + name.removeprefix('decode_head.')
        return name

    return _renamed(content, rename)


def to_published(content: Mapping[str, T], shape: Callable[[T], tuple[int, ...]]) -> dict[str, T]:
    """The names that a published file of this model has.

    A pretraining model (encoder and decoder) becomes its encoder without a prefix, as Sapiens2's
    pretrained files are. Models of the first generation stay as they are.

    Args:
        content: State dict of a model of ours, or another mapping with its names.
        shape: Shape of a value; the number of outputs tells tasks apart.

    Raises:
        ValueError: Sapiens2 has no published head of this kind.
    """
    if not is_sapiens2(content):
        return dict(content)
    if not any(name.startswith(('head.', 'decode_head.')) for name in content):
        return {
            name.removeprefix('backbone.'): value
            for name, value in content.items()
            if not name.startswith('neck.')
        }
    task = _task(content, shape)
    output = _OUTPUTS[task]

    def rename(name: str) -> str:
        for ours in ('head.final_layer.', 'decode_head.conv_seg.'):
            if name.startswith(ours):
                return f'decode_head.{output}.{name.removeprefix(ours)}'
        if name.startswith('head.'):
            return f'decode_{name}'
        return name

    return _renamed(content, rename)


def _has(content: Mapping[str, object], output: str) -> bool:
    return f'decode_head.{output}.weight' in content


def _renamed(content: Mapping[str, T], rename: Callable[[str], str]) -> dict[str, T]:
    return {rename(name): value for name, value in content.items()}


def _task(content: Mapping[str, T], shape: Callable[[T], tuple[int, ...]]) -> str:
    """Which of the published heads this is, by the layers that only one of them has."""
    if 'head.final_layer.weight' in content:
        return 'pose'
    if 'decode_head.deconv_layers.0.weight' in content:
        return 'seg'
    if any(name.startswith('decode_head.scale_final_layer.') for name in content):
        return 'pointmap'
    if 'decode_head.input_conv.1.norm.weight' in content:
        return 'albedo'
    final = content.get('decode_head.conv_seg.weight')
    outputs = None if final is None else shape(final)[0]
    if 'decode_head.input_conv.0.weight' in content and outputs in (3, 4):
        return 'normal' if outputs == 3 else 'matting'
    raise ValueError(
        'this model has no published counterpart: expected a head for pose, parts, normals, '
        f'albedo, pointmaps or matting, got one with {outputs or "no known"} outputs'
    )


# Live names of transformers (5.23), longest first: part of ours, part of theirs.
_BACKBONE = (
    ('embeddings.register_tokens', 'storage_tokens'),
    ('embeddings.cls_token', 'cls_token'),
    ('embeddings.patch_embeddings.', 'patch_embed.projection.'),
    ('model.layer.', 'blocks.'),
    ('.norm1.', '.ln1.'),
    ('.norm2.', '.ln2.'),
    ('.attention.q_proj.', '.attn.wq.'),
    ('.attention.k_proj.', '.attn.wk.'),
    ('.attention.v_proj.', '.attn.wv.'),
    ('.attention.o_proj.', '.attn.proj.'),
    ('.attention.q_norm.', '.attn.q_norm.'),
    ('.attention.k_norm.', '.attn.k_norm.'),
    ('.layer_scale1.lambda1', '.attn.gamma.weight'),
    ('.mlp.down_proj.', '.ffn.w3.'),
)
_SCALE_LINEARS = {'block1.layers.0': 1, 'block2.layers.0': 3, 'proj': 5}


def from_transformers(state_dict: Mapping[str, Tensor], task: str) -> dict[str, Tensor]:
    """Published names of the state dict of a live model of the library ``transformers``.

    Its files on disk have the published names already; only a model in memory has names of its own.

    Args:
        state_dict: Of ``Sapiens2Model`` or of a model with a head.
        task: ``pretrain`` for an encoder, else the task of the head: pose, seg, normal, pointmap or
            matting (there is no class for albedo).

    Raises:
        ValueError: Unknown task, or a name that no known model has.
    """
    tasks = ['pretrain', *(known for known in _OUTPUTS if known != 'albedo')]
    if task not in tasks:
        raise ValueError(f'task {task!r} is not one of {tasks}')
    found: dict[str, Tensor] = {}
    for name, value in state_dict.items():
        if '.mlp.up_proj.' in name:
            continue  # joined with its gate
        if '.mlp.gate_proj.' in name:
            value = torch.cat([value, state_dict[name.replace('.gate_proj.', '.up_proj.')]])
            name = name.replace('.mlp.gate_proj.', '.ffn.w12.')
        found[_from_transformers(name, task)] = value
    return found


def _from_transformers(name: str, task: str) -> str:
    """Published name of one parameter."""
    part, _, rest = name.partition('.')
    if task != 'pretrain' and part == 'decode_head':
        return f'decode_head.{_head_name(rest, task)}'
    if task != 'pretrain' and part == 'scale_head':
        return f'decode_head.{_scale_name(rest)}'
    prefix = ''
    if task != 'pretrain':
        if part != 'model':
            raise ValueError(f'{name!r} is not a name of a transformers model for {task}')
        prefix, name = 'backbone.', rest
    if name == 'norm.weight':
        return f'{prefix}ln1.weight'
    for theirs, ours in _BACKBONE:
        name = name.replace(theirs, ours)
    return prefix + name


def _head_name(name: str, task: str) -> str:
    """Published name of a parameter below ``decode_head.``."""
    layer, _, rest = name.partition('.')
    if layer == 'predictor':
        return f'{_OUTPUTS[task]}.{rest}'
    if layer == 'input_conv':
        return f'input_conv.0.{rest.removeprefix("convolution.")}'
    index, _, parameter = rest.partition('.convolution.')
    if layer == 'upsample_layers' and task in ('pose', 'seg'):
        return f'deconv_layers.{3 * int(index)}.{parameter}'
    if layer == 'upsample_layers':
        return f'upsample_blocks.{index}.0.{parameter}'
    return f'{layer}.{3 * int(index)}.{parameter}'


def _scale_name(name: str) -> str:
    """Published name of a parameter below ``scale_head.``."""
    layer, _, rest = name.partition('.')
    if layer == 'conv_layers':
        index, _, parameter = rest.partition('.convolution.')
        return f'scale_conv_layers.{3 * int(index)}.{parameter}'
    linear, _, parameter = rest.rpartition('.')
    return f'scale_final_layer.{_SCALE_LINEARS[linear]}.{parameter}'
