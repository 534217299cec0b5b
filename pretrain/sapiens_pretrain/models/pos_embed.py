# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""Learned or fixed 2-D position tables: inferring their grid, resizing, adapting at load time."""

from math import isqrt
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from torch import Tensor

Grid = tuple[int, int]


def resize_pos_embed(table: Tensor, source: Grid, target: Grid) -> Tensor:
    """Resize a position table (1, h * w, D) from one (h, w) grid to another (bicubic, fp32)."""
    if source == target:
        return table
    image = table.float().transpose(1, 2).unflatten(2, source)  # (1, D, h, w)
    image = F.interpolate(image, size=target, mode='bicubic', align_corners=False)
    return image.flatten(2).transpose(1, 2).to(table.dtype)


def infer_grid(length: int, target: Grid) -> tuple[Grid, int] | None:
    """Guess the (h, w) grid of a table of ``length`` rows, and how many class tokens lead it.

    Tried in this order, without and then with one class token: the target grid itself, a square,
    the target's aspect ratio, 4:3 (height to width). None if nothing fits.
    """
    for extra in (0, 1):
        if length - extra == target[0] * target[1]:
            return target, extra
    for ratio in ((1, 1), target, (4, 3)):
        for extra in (0, 1):
            scale, rest = divmod((length - extra) * ratio[0], ratio[1])
            height = isqrt(scale)
            if rest == 0 and height and height * height == scale:
                return (height, (length - extra) // height), extra
    return None


def adapt_pos_embed(module: Any, state_dict: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Load hook of ``SapiensViT``: fit ``pos_embed`` of a state dict (and its class token) to the encoder.

    Raises:
        ValueError: The table's width is another encoder's, its grid cannot be inferred, or the
            encoder has a class token and the checkpoint none.
    """
    key = f'{prefix}pos_embed'
    if key not in state_dict:
        return
    table = state_dict[key]
    same_grid = module.pretrained_grid in (None, module.grid)
    if same_grid and table.shape == module.pos_embed.shape:
        return
    if table.ndim != 3 or table.shape[2] != module.embed_dims:
        raise ValueError(
            f'{key} has shape {tuple(table.shape)}, this encoder has embed_dims {module.embed_dims}: '
            'the checkpoint is of another size; choose the matching arch'
        )
    has_token = f'{prefix}cls_token' in state_dict
    if module.pretrained_grid is not None:
        height, width = module.pretrained_grid
        grid = (height, width)
        extra = table.shape[1] - grid[0] * grid[1]
    else:
        found = infer_grid(table.shape[1] - has_token, module.grid)
        grid, extra = found if found else ((0, 0), -1)
        extra += has_token
    if extra not in (0, 1) or extra < has_token:
        raise ValueError(
            f'{key} has {table.shape[1]} rows, which is not a grid that can be inferred for the target '
            f'{module.grid}; pass pretrained_grid=(h, w) (given: {module.pretrained_grid})'
        )
    if extra < module.num_extra_tokens:
        raise ValueError(
            f'{key}: the encoder has a class token, the checkpoint has none; use with_cls_token=False'
        )
    patches = resize_pos_embed(table[:, extra:], grid, module.grid)
    if module.num_extra_tokens:
        patches = torch.cat([table[:, :1], patches], dim=1)
    state_dict[key] = patches
    dropped = extra > module.num_extra_tokens
    if dropped:
        state_dict.pop(f'{prefix}cls_token', None)
    MMLogger.get_current_instance().info(
        f'{key}: grid {grid} -> {module.grid}' + (', class token dropped' if dropped else '')
    )
