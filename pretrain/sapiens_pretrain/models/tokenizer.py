# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The tokenizer of Sapiens2's 4K encoder: windows of patches to single tokens.

Shape letters: B images, s window side in patches, h x w grid of windows, D embedding.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .swiglu import SwiGLUBlock

# Windows at a time: a 4K image has 3072, and their hidden layers would take gigabytes.
_CHUNK = 1024


def to_windows(x: Tensor, grid: tuple[int, int], side: int) -> Tensor:
    """Patches (B, rows * columns, D) in raster order to windows (B, h * w, s * s, D)."""
    x = x.unflatten(1, (grid[0] // side, side, grid[1] // side, side))  # (B, h, s, w, s, D)
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


class WindowTokenizer(nn.Module):
    """A small transformer that reads each window of patches into a class token of its own.

    Its blocks have full heads and neither rotary embedding, normed queries nor layer scale.

    Args:
        dims: D.
        hidden: Hidden units of the feed-forward layers.
        num_heads: Attention heads.
        num_layers: Blocks.
        window: Side of a window in patches (s).
    """

    def __init__(
        self, dims: int, hidden: int, num_heads: int, num_layers: int, window: int
    ) -> None:
        super().__init__()
        self.local_pos_embed = nn.Parameter(torch.zeros(1, 1 + window**2, dims))
        self.w_cls = nn.Parameter(torch.zeros(1, 1, dims))
        self.blocks = nn.ModuleList(
            SwiGLUBlock(dims, hidden, num_heads, num_heads, qk_norm=False, layer_scale=0.0)
            for _ in range(num_layers)
        )

    def forward(self, x: Tensor, run: Callable[..., Tensor] | None = None) -> Tensor:
        """Map windows (B, h * w, s * s, D) to tokens (B, h * w, D).

        Args:
            x: Patches by window.
            run: Called as ``run(self.read, windows)`` for every chunk; the encoder passes its recomputing
                one here.
        """
        batch, count = x.shape[:2]
        run = run or _call
        tokens = [run(self.read, chunk) for chunk in x.flatten(0, 1).split(_CHUNK)]
        return torch.cat(tokens).unflatten(0, (batch, count))

    def read(self, windows: Tensor) -> Tensor:
        """Tokens (n, D) of windows (n, s * s, D)."""
        x = torch.cat([self.w_cls.expand(windows.shape[0], -1, -1), windows], dim=1)
        x = x + self.local_pos_embed
        for block in self.blocks:
            x = block(x)
        return x[:, 0]


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)
