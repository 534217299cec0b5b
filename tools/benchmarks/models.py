# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Models as stages need them, and the plain attention they are held against."""

import copy
from pathlib import Path
from typing import Any

import torch
from benchmarks.harness import Settings
from torch import Tensor, nn

from sapiens_common.models.precision import lower_precision
from sapiens_pretrain.models import Sapiens2ViT
from sapiens_pretrain.models.vit import Attention, SapiensViT

INPUT_SIZE = (1024, 768)
"""(height, width) in pixels of the published models."""
_CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
_DATA = ('goliath', 'folder', 'humans300m', 'humans1b', 'synthetic')


class PlainAttention(Attention):
    """Attention as it was written before fused kernels: all weights (B, heads, N, N) in memory."""

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D)."""
        b, n, d = x.shape
        qkv = self.qkv(x).view(b, n, 3, self.num_heads, d // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q * (d // self.num_heads) ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(b, n, d))


def without_sdpa(model: nn.Module) -> nn.Module:
    """A model that shares all weights with ``model`` and computes attention plainly."""
    memo = {id(value): value for value in [*model.parameters(), *model.buffers()]}
    twin = copy.deepcopy(model, memo)
    for module in twin.modules():
        if type(module) is Attention:
            module.__class__ = PlainAttention
    return twin


def is_second(size: str) -> bool:
    """Whether a size is of Sapiens2: ``sapiens2_1b``; ``1b`` is of Sapiens."""
    return size.startswith('sapiens2_')


def recipe(task: str, size: str) -> Path | None:
    """The config of a task and size; None if there is none."""
    name = size if is_second(size) else f'sapiens_{size}'
    files = (_CONFIGS / f'{task}/{name}_{data}.py' for data in _DATA)
    return next((file for file in files if file.is_file()), None)


def input_size(size: str, quick: bool) -> tuple[int, int]:
    """(height, width) an encoder size is used at."""
    if quick:
        return 64, 48
    return (256, 192) if size.endswith('tiny') else INPUT_SIZE


def encoder(size: str, settings: Settings, device: str | None = None, **kwargs: Any) -> nn.Module:
    """An encoder with the weights its layers are made with, in evaluation mode."""
    made = Sapiens2ViT if is_second(size) else SapiensViT
    with torch.device(device or settings.device):
        model = made(arch=size, img_size=input_size(size, settings.quick), **kwargs)
    return model.eval()


def lowered(model: nn.Module, dtype: str, settings: Settings) -> nn.Module:
    """The model as inference runs it in a dtype: float32 as it is, else a copy with stored weights."""
    if dtype == 'float32':
        return model
    holder = nn.Module()
    holder.backbone = copy.deepcopy(model)
    lower_precision(holder, getattr(torch, dtype), settings.torch_device)
    return holder.backbone
