# Copyright (c) The Sapiens-OpenMMLab authors. Licensed under the Apache License 2.0.
"""The Sapiens encoder: a plain Vision Transformer.

Shape letters: B images, N tokens (class token included), D embedding, H x W image, h x w patch grid.

References:
    Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021 (the architecture).
    Khirodkar et al., "Sapiens: Foundation for Human Vision Models", ECCV 2024 (the sizes, section 3).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.init import trunc_normal_

from sapiens_common.compat import add_load_hook
from sapiens_pretrain.registry import MODELS

from .attention import attend
from .base import PatchEmbed, PlainViT, find_arch
from .pos_embed import adapt_pos_embed, resize_pos_embed
from .sincos import sincos_pos_embed

ARCH_KEYS = ('embed_dims', 'num_layers', 'num_heads', 'feedforward_channels')


def _arch(embed_dims: int, num_layers: int, num_heads: int) -> dict[str, int]:
    """One row of the size table; the feed-forward ratio is 4 at every size."""
    return dict(zip(ARCH_KEYS, (embed_dims, num_layers, num_heads, 4 * embed_dims), strict=True))


# Sapiens paper, table 1. tiny is ours: small enough to train on a CPU.
ARCH_ZOO = {
    'tiny': _arch(192, 6, 3),
    '0.3b': _arch(1024, 24, 16),
    '0.6b': _arch(1280, 32, 16),
    '1b': _arch(1536, 40, 24),
    '2b': _arch(1920, 48, 32),
}
TRUNC_NORMAL = {'type': 'TruncNormal', 'layer': ['Linear', 'Conv2d'], 'std': 0.02}


def resolve_arch(arch: str | dict[str, int]) -> dict[str, int]:
    """Numbers of an architecture given by name (with or without ``sapiens_``) or as a dict.

    Raises:
        ValueError: Unknown name, or a dict without one of :data:`ARCH_KEYS`.
    """
    return find_arch(arch, ARCH_ZOO, 'sapiens_', ARCH_KEYS)


class Attention(nn.Module):
    """Multi-head self-attention on PyTorch's fused kernel (SDPA)."""

    def __init__(self, dims: int, num_heads: int, qkv_bias: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dims, 3 * dims, bias=qkv_bias)
        self.proj = nn.Linear(dims, dims)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D)."""
        b, n, d = x.shape
        qkv = self.qkv(x).view(b, n, 3, self.num_heads, d // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, N, D / heads)
        x = attend(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(b, n, d))


class FeedForward(nn.Module):
    """Two linear layers around a GELU; nested so that the keys are ``layers.0.0`` and ``layers.1``."""

    def __init__(self, dims: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Sequential(nn.Linear(dims, hidden), nn.GELU()), nn.Linear(hidden, dims)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D)."""
        return self.layers(x)


class Block(nn.Module):
    """Pre-norm transformer block with stochastic depth on both residual branches."""

    def __init__(
        self, dims: int, hidden: int, num_heads: int, qkv_bias: bool, drop_path_rate: float
    ) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(dims, eps=1e-6)
        self.attn = Attention(dims, num_heads, qkv_bias)
        self.ln2 = nn.LayerNorm(dims, eps=1e-6)
        self.ffn = FeedForward(dims, hidden)
        self.drop_path_rate = drop_path_rate

    def _drop_path(self, x: Tensor) -> Tensor:
        """Zero the branch (B, N, D) for a random share of the images (Huang et al., ECCV 2016)."""
        if not self.training or self.drop_path_rate == 0:
            return x
        keep = 1 - self.drop_path_rate
        return x * x.new_empty(x.shape[0], 1, 1).bernoulli_(keep).div_(keep)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to (B, N, D)."""
        x = x + self._drop_path(self.attn(self.ln1(x)))
        return x + self._drop_path(self.ffn(self.ln2(x)))


@MODELS.register_module()
class SapiensViT(PlainViT):
    """The Sapiens encoder, usable as backbone of any MMLab model by its prefixed type.

    Parameter names equal those of the published checkpoints. Position tables of another grid, with
    or without a class token, are adapted when a state dict is loaded (bicubic resize).

    Args:
        arch: ``tiny``, ``0.3b``, ``0.6b``, ``1b``, ``2b`` (a ``sapiens_`` prefix is accepted) or a dict
            with :data:`ARCH_KEYS`.
        img_size: (height, width) in pixels that the position table is made for; other inputs
            divisible into patches are accepted and the table is resized on the fly.
        patch_size: Patch side in pixels.
        patch_padding: Zero padding of the patch convolution in pixels. The published pose, normal,
            LIP and CIHP weights were trained with 2, the others with 0.
        in_channels: Channels of the image.
        out_indices: Blocks whose outputs are returned; -1 is the last.
        out_type: ``featmap`` (B, D, h, w), ``avg_featmap`` (B, D), ``cls_token`` (B, D), or ``raw``
            (B, N, D).
        with_cls_token: Whether a class token is prepended (only the MAE checkpoints have one).
        qkv_bias: Whether the query-key-value projection has a bias.
        final_norm: Whether the output of the last block is normalised.
        drop_path_rate: Stochastic depth of the last block; it grows linearly from 0.
        frozen_stages: -1 trains everything; n >= 0 freezes the stem and the first n blocks, and
            the final norm too when n is the number of blocks.
        with_cp: Whether each block recomputes its activations in the backward pass (less memory).
        pretrained_grid: (h, w) patch grid of the position table to be loaded. None infers it.
        tuning: None trains as ``frozen_stages`` says; ``dict(method='lora', ...)`` a small part that checkpoints
            then hold alone, see :func:`~sapiens_pretrain.models.tuning.tune`.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` loads the encoder of a file, published name or
            URL strictly and reports it; alone or in a list, as mmengine accepts it.

    Raises:
        ValueError: Unknown arch or out_type, an image size that is not whole patches, an index or
            stage outside the blocks.
    """

    BLOCKS = 'layers'
    STEM = ('cls_token', 'pos_embed', 'patch_embed')

    def __init__(
        self,
        arch: str | dict[str, int] = '0.3b',
        img_size: int | tuple[int, int] = (1024, 768),
        patch_size: int = 16,
        patch_padding: int = 0,
        in_channels: int = 3,
        out_indices: int | Sequence[int] = -1,
        out_type: str = 'featmap',
        with_cls_token: bool = False,
        qkv_bias: bool = True,
        final_norm: bool = True,
        drop_path_rate: float = 0.0,
        frozen_stages: int = -1,
        with_cp: bool = False,
        pretrained_grid: tuple[int, int] | None = None,
        tuning: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        settings = resolve_arch(arch)
        super().__init__(
            dims=settings['embed_dims'],
            num_layers=settings['num_layers'],
            img_size=img_size,
            patch_size=patch_size,
            unit=patch_size,
            num_prefix_tokens=int(with_cls_token),
            with_cls_token=with_cls_token,
            out_indices=out_indices,
            out_type=out_type,
            frozen_stages=frozen_stages,
            with_cp=with_cp,
            tuning=tuning,
            init_cfg=init_cfg or TRUNC_NORMAL,
        )
        self.pretrained_grid = pretrained_grid
        self.patch_embed = PatchEmbed(in_channels, self.embed_dims, patch_size, patch_padding)
        if with_cls_token:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, self.embed_dims))
        length = self.grid[0] * self.grid[1] + self.num_extra_tokens
        self.pos_embed = nn.Parameter(torch.zeros(1, length, self.embed_dims))
        self.layers = nn.ModuleList(
            Block(
                self.embed_dims,
                settings['feedforward_channels'],
                settings['num_heads'],
                qkv_bias,
                drop_path_rate * index / max(self.num_layers - 1, 1),
            )
            for index in range(self.num_layers)
        )
        self.ln1 = nn.LayerNorm(self.embed_dims, eps=1e-6) if final_norm else nn.Identity()
        add_load_hook(self, adapt_pos_embed)
        self.finish()

    def init_weights(self) -> None:
        """Load the checkpoint that ``init_cfg`` names, or start anew.

        Anew means truncated normal weights (std 0.02) and the sine-cosine table that the published
        encoders were pretrained with.
        """
        if self.load_pretrained():
            return
        super().init_weights()
        table = sincos_pos_embed(self.grid, self.embed_dims, self.num_extra_tokens)
        self.pos_embed.data.copy_(table)
        if self.num_extra_tokens:
            trunc_normal_(self.cls_token, std=0.02)

    def embed(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Map images (B, C, H, W) to tokens (B, h * w, D) with positions, and the grid (h, w).

        The class token is not prepended here: masked pretraining drops tokens before that.

        Raises:
            ValueError: The images are not whole patches.
        """
        self.check_images(x)
        x, grid = self.patch_embed(x)
        positions = self.pos_embed[:, self.num_extra_tokens :]
        return x + resize_pos_embed(positions, self.grid, grid), grid

    def prepend_cls_token(self, x: Tensor) -> Tensor:
        """Prepend the class token with its position, if the model has one."""
        if not self.num_extra_tokens:
            return x
        cls_token = self.cls_token + self.pos_embed[:, :1]
        return torch.cat([cls_token.expand(x.shape[0], -1, -1), x], dim=1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Encode normalised RGB images (B, 3, H, W); one output per ``out_indices`` (see out_type)."""
        x, grid = self.embed(x)
        x = self.prepend_cls_token(x)
        outputs = []
        for index in range(self.num_layers):
            x = self.run_block(index, x)
            if index in self.out_indices:
                outputs.append(self.format(x, grid))
        return tuple(outputs)
